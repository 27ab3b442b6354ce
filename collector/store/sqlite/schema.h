// What is in the file of the embedded store; docs/configuration.md tells it to readers.
//
// Names come again with every event of a device, so they are kept once, as a series: an event is
// half of what it would be, and so is what is written to somebody's SD card. `events` puts both
// together for whoever reads.
//
// Rows are appended as they come, with the id in an index of its own: devices' clocks differ by
// seconds, and rows kept in the order of their ids would touch a page each (docs/design.md). The
// index is of the id's first half, a number that begins with the time; two ids that share it are
// one in a thousand even at 100,000 events a second.
#pragma once

#include <cstdint>

namespace collector {

// A file of a newer collector is refused, not guessed at.
inline constexpr int kSchemaVersion = 2;

// "coap" in the file's header: how a file of ours is told from any other database.
inline constexpr std::int64_t kApplicationId = 0x636f6170;

inline constexpr const char* kCreate =
    "CREATE TABLE IF NOT EXISTS series ("
    " id INTEGER PRIMARY KEY,"  // a hash of the names; the next free number where that is taken
    " name_space TEXT NOT NULL,"
    " sender TEXT NOT NULL,"
    " origin TEXT NOT NULL,"
    " type TEXT NOT NULL"  // payload.type
    ");"
    "CREATE TABLE IF NOT EXISTS records ("
    " key INTEGER NOT NULL UNIQUE,"  // the id's first half; the next free number if it is taken
    " rest NOT NULL,"                // its second half; if the key was taken: all of it, as a blob
    " timestamp_ns INTEGER NOT NULL,"  // the event's own, or its arrival
    " received_ns INTEGER NOT NULL,"
    " series INTEGER NOT NULL REFERENCES series,"
    " value,"        // payload.value: number, text, boolean as 0 and 1
    " payload TEXT"  // the payload whole, as JSON, where there is more to it
    ");"
    "CREATE VIEW IF NOT EXISTS events AS SELECT"
    " CASE typeof(rest) WHEN 'blob' THEN lower(hex(rest))"
    "  ELSE printf('%016x%016x', key, rest) END AS id,"
    " timestamp_ns, name_space, sender, origin, type, value, payload, received_ns"
    " FROM records JOIN series ON series.id = records.series;";

// A commit is one fsync, and is on disk when it returns. Pages in memory: SQLite's own 2 MB; 16
// save nothing once every series is there, and a tenth of the CPU while all of 500,000 are new.
inline constexpr const char* kPragmas =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "PRAGMA journal_size_limit=67108864";

// Under load 64 MiB of WAL between checkpoints, so that an index page that is written by many
// commits is copied once; less on a disk that would take longer than a second for it, because
// nothing is committed meanwhile. Where commits are small the WAL begins anew after 4 MiB, as
// SQLite's own rule has it: written over, it costs a commit half of what it does while it grows,
// because a file system must log each new block.
inline constexpr int kCheckpointPages = 16'384;
inline constexpr int kSmallCommitPages = 16;
inline constexpr int kSmallCheckpointPages = 1'000;

}  // namespace collector
