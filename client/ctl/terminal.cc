// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "client/ctl/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sluice::client {
namespace {

constexpr absl::string_view kEnter = "\x1b[?1049h\x1b[?25l";  // own screen, no cursor
constexpr absl::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr absl::string_view kHome = "\x1b[H";
constexpr absl::string_view kClearLine = "\x1b[K";
constexpr absl::string_view kClearBelow = "\x1b[J";

volatile sig_atomic_t end_asked = 0;

void AskForEnd(int) { end_asked = 1; }
void Interrupt(int) {}  // ends a poll, so that a new size shows at once

void Handle(int signal_number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigaction(signal_number, &action, nullptr);
}

void Write(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR) return;  // the terminal has gone
    if (written > 0) text.remove_prefix(static_cast<size_t>(written));
  }
}

winsize Size() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    size.ws_row = 24;
    size.ws_col = 80;
  }
  return size;
}

bool EndKeyPressed() {
  char keys[64];
  const ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
  if (count < 0) return errno != EINTR && errno != EAGAIN;
  const absl::string_view typed(keys, static_cast<size_t>(count));
  return count == 0 || typed.find_first_of("qQ\x03") != absl::string_view::npos;
}

}  // namespace

bool Terminal::IsThere() { return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1; }

Terminal::Terminal() {
  end_asked = 0;
  tcgetattr(STDIN_FILENO, &before_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) Handle(number, AskForEnd);
  Handle(SIGWINCH, Interrupt);
  termios mode = before_;
  mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode);
  Write(kEnter);
}

Terminal::~Terminal() {
  Write(kLeave);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) Handle(number, SIG_DFL);
}

size_t Terminal::rows() const { return Size().ws_row; }
size_t Terminal::columns() const { return Size().ws_col; }

void Terminal::Draw(const std::vector<std::string>& lines) {
  std::string screen(kHome);
  for (size_t i = 0; i < lines.size(); ++i) {
    absl::StrAppend(&screen, i > 0 ? "\r\n" : "", lines[i], kClearLine);
  }
  absl::StrAppend(&screen, kClearBelow);
  Write(screen);
}

bool Terminal::WaitForEnd(absl::Duration timeout) {
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  const int ready = poll(&input, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
  if (end_asked != 0) return true;
  return ready > 0 && EndKeyPressed();
}

}  // namespace sluice::client
