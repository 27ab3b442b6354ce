// Whether who asked is still there.
#pragma once

#include <string>

namespace collector {

// A connection of this process, found by its ends, because cpp-httplib does not name it. It is
// good while its request is handled.
class Connection {
 public:
  Connection(const std::string& remote_address, int remote_port, int local_port);

  // The peer has closed it. False where that is not known.
  [[nodiscard]] bool Closed() const;

 private:
  int fd_ = -1;
};

}  // namespace collector
