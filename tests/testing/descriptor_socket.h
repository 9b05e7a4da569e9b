// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace sluice {

// A message of `size` bytes over a SOCK_SEQPACKET socket, with a file descriptor where
// `descriptor` >= 0. False: the other end is gone. Thread-safe, as sendmsg is.
bool SendWithDescriptor(int socket, const void* message, size_t size, int descriptor);

// The next message; false: the other end is gone, or it is of another size. `*descriptor` is
// then the caller's, -1 where none came.
bool ReceiveWithDescriptor(int socket, void* message, size_t size, int* descriptor);

}  // namespace sluice
