// Work that must not delay CoAP.
#pragma once

#include <sched.h>

namespace collector {

// Makes the calling thread one that gets a core only while nobody else wants it: a low priority
// alone would still take a third of a core that is fully used. Linux, and no privilege needed.
inline void RunInBackground() {
  const sched_param none{};
  sched_setscheduler(0, SCHED_IDLE, &none);
}

}  // namespace collector
