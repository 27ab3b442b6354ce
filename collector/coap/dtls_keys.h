// The keys and certificates of CoAPs, read again when their files change.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/base/watched_file.h"
#include "collector/coap/psk_file.h"
#include "collector/coap/tls_context.h"

namespace collector {

struct DtlsKeyFiles {
  std::string psk{};  // empty: no pre-shared keys
  CertificateFiles certificates{};
};

class DtlsKeys {
 public:
  DtlsKeys(const DtlsKeyFiles& files, std::shared_ptr<spdlog::logger> log);

  // Before anything else. Errors are kConfig, with the file's name.
  Status Load();

  struct Replaced {
    std::optional<PskTable> psks;  // those of before
    bool context = false;
  };
  // What changed since this was last called. Where a changed file cannot be used, which is logged,
  // the last good one holds.
  Replaced Reload();

  [[nodiscard]] const PskTable& psks() const { return psks_; }
  [[nodiscard]] ssl_ctx_st* context() const { return context_.get(); }

 private:
  Status LoadPsks();
  Status LoadContext();
  bool Again(Status loaded, const std::string& what);

  const CertificateFiles certificates_;
  WatchedFile psk_file_;
  std::vector<WatchedFile> certificate_files_;
  std::shared_ptr<spdlog::logger> log_;
  PskTable psks_;
  TlsContext context_;
};

}  // namespace collector
