#include "collector/coap/dtls_keys.h"

#include "collector/base/log.h"

namespace collector {

DtlsKeys::DtlsKeys(const DtlsKeyFiles& files, std::shared_ptr<spdlog::logger> log)
    : certificates_(files.certificates), psk_file_(files.psk), log_(std::move(log)) {
  const CertificateFiles& of = certificates_;
  for (const std::string& path : {of.certificate, of.key, of.client_ca, of.revocation})
    if (!path.empty()) certificate_files_.emplace_back(path);
}

Status DtlsKeys::Load() {
  psk_file_.Changed();
  for (WatchedFile& file : certificate_files_) file.Changed();
  if (!psk_file_.path().empty()) {
    if (Status loaded = LoadPsks(); !loaded.ok()) return loaded;
  }
  return LoadContext();
}

DtlsKeys::Replaced DtlsKeys::Reload() {
  Replaced replaced;
  if (psk_file_.Changed()) {
    PskTable before = psks_;
    if (Again(LoadPsks(), "keys")) replaced.psks = std::move(before);
  }
  bool changed = false;
  for (WatchedFile& file : certificate_files_) changed |= file.Changed();
  replaced.context = changed && Again(LoadContext(), "certificates");
  return replaced;
}

bool DtlsKeys::Again(Status loaded, const std::string& what) {
  if (!loaded.ok()) {
    log_->error("coaps: {}; going on with the {} of before{}", loaded.error().message, what,
                Action("reload-failed"));
    return false;
  }
  log_->info("coaps: {} read again{}", what, Action("reloaded"));
  return true;
}

Status DtlsKeys::LoadPsks() {
  auto text = ReadFile(psk_file_.path());
  if (!text.ok()) return text.error();
  auto psks = ParsePskFile(text.value());
  if (!psks.ok()) {
    return Error{ErrorCode::kConfig, psk_file_.path() + ": " + psks.error().message};
  }
  psks_ = std::move(psks).value();
  return Ok{};
}

Status DtlsKeys::LoadContext() {
  auto context = CreateTlsContext(certificates_);
  if (!context.ok()) return context.error();
  context_ = std::move(context).value();
  return Ok{};
}

}  // namespace collector
