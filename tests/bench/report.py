"""How tests/bench/run puts its figures: tables and sentences from the runs' reports."""

import statistics


def median(runs, key):
    return statistics.median(key(run) for run in runs)


def table(runs, devices):
    lines = ["| server | devices | events/s | ÷ echo | p50 / p99 ms | CPU µs/event | server busy "
             "| RSS idle | RSS end | drops | answers a read |",
             "|---|---|---|---|---|---|---|---|---|---|---|"]
    for count in devices:
        for name in ("echo", "collector"):
            mine = runs[name, count]
            ratio = statistics.median(
                run["events_per_s"] / max(1, echo["events_per_s"])
                for run, echo in zip(mine, runs["echo", count]))
            lines.append(
                f"| {name} | {count:,} | {median(mine, lambda run: run['events_per_s']):,.0f} "
                f"| {ratio:.2f} | {median(mine, lambda run: run['latency_us']['p50']) / 1e3:.1f} / "
                f"{median(mine, lambda run: run['latency_us']['p99']) / 1e3:.1f} "
                f"| {median(mine, lambda run: run['server_cpu_us']):.2f} "
                f"| {median(mine, lambda run: run['server_busy']) * 100:.0f} % "
                f"| {median(mine, lambda run: run['rss_idle_kib']) / 1024:.1f} MiB "
                f"| {median(mine, lambda run: run['rss_end_kib']) / 1024:.1f} MiB "
                f"| {sum(run['server_drops'] + run['drops'] for run in mine)} "
                f"| {median(mine, lambda run: run['answers_per_read']):.0f} |")
    return lines


def ratios(runs, devices, lone, starts):
    lines = []
    for count in devices:
        pairs = zip(runs["collector", count], runs["echo", count])
        ratio = statistics.median(a["events_per_s"] / max(1, b["events_per_s"]) for a, b in pairs)
        lines.append(f"full path / echo at {count:,} devices: {ratio:.2f}")
    if len(devices) > 1:
        few, many = devices[0], devices[-1]
        pairs = zip(runs["collector", many], runs["collector", few])
        ratio = statistics.median(a["events_per_s"] / max(1, b["events_per_s"]) for a, b in pairs)
        lines.append(f"{many:,} / {few:,}: {ratio:.2f}")
    if lone:
        lines.append(f"lone event / commit: {lone['ratio']:.2f} "
                     f"({lone['event_us']:.0f} / {lone['commit_us']:.0f} us)")
    if starts:
        lines.append(f"exec to first /health: {statistics.median(starts):.0f} ms "
                     f"(worst of {len(starts)}: {max(starts):.0f})")
    collected = [run for (name, _), group in runs.items() if name == "collector" for run in group]
    lines.append(f"acknowledged events missing in the store: "
                 f"{sum(run['verify']['acknowledged']['not_stored'] for run in collected)} of "
                 f"{sum(run['stored'] for run in collected):,}")
    return lines


def remarks(runs, devices):
    """What a reader must know to believe the figures, or not to."""
    everything = [run for group in runs.values() for run in group]
    lines = []
    others = max(run["others_cores"] for run in everything)
    if others > 0.1:
        lines.append(f"other programs, or the kernel's own threads, used up to {others:.2f} cores "
                     "while this ran")
    for count in devices:
        if median(runs["echo", count], lambda run: run["answers_per_read"]) > 60:
            lines.append(f"at {count:,} devices the load limited the echo: its figure is too low")
    odd = {key: sum(run.get(key, 0) for run in everything)
           for key in ("retransmitted", "unanswered", "reset", "unexpected", "empty_acks")}
    if any(odd.values()):
        lines.append("datagrams: " + ", ".join(f"{n} {key}" for key, n in odd.items() if n))
    answers = {}
    for run in everything:
        for code, number in run["answers"].items():
            answers[code] = answers.get(code, 0) + number
    lines.append("answers: " + ", ".join(f"{code}: {n:,}" for code, n in sorted(answers.items())))
    return lines
