// Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
#include "daemon/server/unix_listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>
#include <vector>

#include "daemon/server/unix_socket.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/daemon/server/connect_unix.h"
#include "tests/testing/temp_dir.h"

namespace sluice {
namespace {

class UnixListenerTest : public ::testing::Test {
 protected:
  // A listener that keeps every connection.
  std::unique_ptr<UnixListener> Listen(ConnectionTable* connections) {
    auto listener = UnixListener::Create(path_, 0660, connections);
    EXPECT_TRUE(listener.ok()) << listener.status();
    (*listener)->Start([this](UniqueFd connection) {
      MutexLock lock(&mu_);
      taken_.push_back(std::move(connection));
      changed_.SignalAll();
    });
    return *std::move(listener);
  }

  void WaitForTaken(size_t count) {
    MutexLock lock(&mu_);
    while (taken_.size() < count) changed_.Wait(&mu_);
  }

  void CloseTaken() {
    MutexLock lock(&mu_);
    taken_.clear();
  }

  const TempDir directory_;
  const std::string path_ = directory_.File("private/a.sock");
  Mutex mu_;
  CondVar changed_;
  std::vector<UniqueFd> taken_ ABSL_GUARDED_BY(mu_);
};

TEST_F(UnixListenerTest, MakesAPrivateDirectoryAndRemovesItsSocket) {
  ConnectionTable connections(8, 8);
  auto listener = Listen(&connections);
  struct stat info {};
  ASSERT_EQ(stat(directory_.File("private").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700);
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660);
  listener.reset();
  EXPECT_NE(stat(path_.c_str(), &info), 0);
}

TEST_F(UnixListenerTest, HandsOverConnectionsAndCountsThem) {
  ConnectionTable connections(8, 8);
  const auto listener = Listen(&connections);
  const UniqueFd client = ConnectUnix(path_);
  ASSERT_TRUE(client.valid());
  WaitForTaken(1);
  EXPECT_EQ(connections.Count(), 1);
  CloseTaken();
  EXPECT_EQ(connections.Count(), 0);
}

TEST_F(UnixListenerTest, AStaleSocketIsReplacedAndALiveOneIsNot) {
  { const UniqueFd dead = *ListenUnix(path_, 0600); }  // closed, but the file stays
  ConnectionTable connections(8, 8);
  const auto listener = Listen(&connections);
  EXPECT_TRUE(absl::IsAlreadyExists(ListenUnix(path_, 0600).status()));
  EXPECT_TRUE(ConnectUnix(path_).valid());
}

TEST_F(UnixListenerTest, AFileThatIsNoSocketStays) {
  const std::string path = directory_.File("file");
  std::ofstream(path) << "precious";
  const absl::Status status = ListenUnix(path, 0600).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(path));
  EXPECT_TRUE(std::ifstream(path).good());
}

TEST_F(UnixListenerTest, ConnectionsBeyondTheLimitAreClosed) {
  ConnectionTable connections(/*max_connections=*/2, /*max_per_user=*/2);
  const auto listener = Listen(&connections);
  const UniqueFd first = ConnectUnix(path_);
  const UniqueFd second = ConnectUnix(path_);
  WaitForTaken(2);
  EXPECT_TRUE(IsClosedByPeer(ConnectUnix(path_)));
  EXPECT_EQ(connections.Refusals()[static_cast<size_t>(ConnectionRefusal::kLimit)], 1);
  CloseTaken();
  const UniqueFd later = ConnectUnix(path_);
  WaitForTaken(1);
  EXPECT_EQ(connections.Count(), 1);
}

TEST_F(UnixListenerTest, OneUserHasItsOwnLimit) {
  ConnectionTable connections(/*max_connections=*/8, /*max_per_user=*/1);
  const auto listener = Listen(&connections);
  const UniqueFd first = ConnectUnix(path_);
  WaitForTaken(1);
  EXPECT_TRUE(IsClosedByPeer(ConnectUnix(path_)));
  EXPECT_EQ(connections.Refusals()[static_cast<size_t>(ConnectionRefusal::kUserLimit)], 1);
}

TEST_F(UnixListenerTest, WaitsForADirectoryThatSomebodyKeepsLockedOnlySoLong) {
  { const UniqueFd made = *ListenUnix(path_, 0600); }
  const std::string directory = directory_.File("private");
  UniqueFd lock(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
  const absl::Status status = ListenUnix(path_, 0600, absl::Milliseconds(5)).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(directory + " locked"));
  lock = UniqueFd();
  EXPECT_TRUE(ListenUnix(path_, 0600, absl::Milliseconds(5)).ok());
}

// No descriptor is left when somebody connects: the listener goes on, and takes
// the connection once there is one.
TEST_F(UnixListenerTest, SurvivesRunningOutOfDescriptors) {
  ConnectionTable connections(8, 8);
  const auto listener = Listen(&connections);
  const UniqueFd client = UnixClient();
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit standard_streams_only{.rlim_cur = 3, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &standard_streams_only), 0);
  EXPECT_TRUE(ConnectTo(path_, client));
  const auto no_files = static_cast<size_t>(ConnectionRefusal::kNoFiles);
  while (connections.Refusals()[no_files] == 0) std::this_thread::yield();
  EXPECT_EQ(connections.Count(), 0);
  setrlimit(RLIMIT_NOFILE, &before);
  WaitForTaken(1);
  EXPECT_EQ(connections.Count(), 1);
}

}  // namespace
}  // namespace sluice
