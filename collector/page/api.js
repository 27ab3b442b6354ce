// The collector's interface. Every failure becomes an Error whose message says what to do.

export async function getJson(path, query, signal, tries = 2) {
  let answer;
  try {
    answer = await fetch(query ? `${path}?${query}` : path, { signal, cache: 'no-store' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error('The collector does not answer. Is it running, and this device connected?');
  }
  const pause = Number(answer.headers.get('Retry-After'));
  if (answer.status === 503 && pause > 0 && tries > 1) {
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
    return getJson(path, query, signal, tries - 1);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  const why = body?.error ?? `${answer.status} ${answer.statusText}`.trim();
  throw new Error(answer.status >= 500
    ? `The collector could not answer (${why}). Try again; its log says more.`
    : `The collector refused the request: ${why}.`);
}
