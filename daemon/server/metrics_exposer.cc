// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/metrics_exposer.h"

#include <netinet/in.h>
#include <prometheus/exposer.h>
#include <sys/socket.h>

#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "daemon/base/unique_fd.h"

namespace sluice {
namespace {

// Connects to a port of this host, and hangs up.
void Knock(int port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Whether it works does not matter: without it the end takes longer.
  [[maybe_unused]] const int result =
      connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsExposer>> MetricsExposer::Start(
    const std::string& address) {
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/1);
  } catch (const std::exception&) {  // the HTTP server says no more than that it failed
    return absl::UnavailableError(absl::StrCat(
        "cannot serve metrics on ", address,
        "; is the port taken? Choose another with --metrics_address, or none with "
        "--metrics_address=off"));
  }
  return std::unique_ptr<MetricsExposer>(new MetricsExposer(std::move(exposer)));
}

MetricsExposer::MetricsExposer(std::unique_ptr<prometheus::Exposer> exposer)
    : exposer_(std::move(exposer)) {}

void MetricsExposer::Show(std::vector<std::shared_ptr<prometheus::Collectable>> collectables) {
  collectables_ = std::move(collectables);
  for (const auto& collectable : collectables_) exposer_->RegisterCollectable(collectable);
}

// The HTTP server looks for its end every two seconds, or when somebody comes.
MetricsExposer::~MetricsExposer() {
  const int port = this->port();
  std::atomic<bool> ended{false};
  std::thread end([&] {
    exposer_.reset();
    ended.store(true);
  });
  while (!ended.load()) {
    Knock(port);
    absl::SleepFor(absl::Milliseconds(5));
  }
  end.join();
}

int MetricsExposer::port() const {
  const std::vector<int> ports = exposer_->GetListeningPorts();
  return ports.empty() ? 0 : ports.front();
}

}  // namespace sluice
