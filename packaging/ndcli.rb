# frozen_string_literal: true

# Homebrew's formula of ndcli, the command line of ndauth.
#
# On Linux it installs the static binary of the release. On macOS it builds the same sources with Rust: the release
# has no binary for macOS, and nobody has tried this build there yet.
class Ndcli < Formula
  desc "Command-line interface of ndauth, a self-hosted token authority"
  homepage "https://github.com/ndauth/ndauth"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    url "https://github.com/ndauth/ndauth.git", tag: "v@VERSION@"

    depends_on "rust" => :build
  end

  on_linux do
    on_intel do
      url "https://github.com/ndauth/ndauth/releases/download/v@VERSION@/ndauth_@VERSION@_linux_amd64_ndcli",
          using: :nounzip
      sha256 "@SHA256_AMD64@"
    end
    on_arm do
      url "https://github.com/ndauth/ndauth/releases/download/v@VERSION@/ndauth_@VERSION@_linux_arm64_ndcli",
          using: :nounzip
      sha256 "@SHA256_ARM64@"
    end
  end

  def install
    if OS.mac?
      system "cargo", "install", *std_cargo_args(path: "crates/ndcli")
    else
      bin.install Dir["ndauth_*_ndcli"].first => "ndcli"
      chmod 0755, bin/"ndcli"
    end
    generate_completions_from_executable(bin/"ndcli", "completions")
    system bin/"ndcli", "manual", "--man", man1
  end

  test do
    assert_equal "ndcli #{version}", shell_output("#{bin}/ndcli --version").strip
    # Without a credential it exits with 4, and asks no server.
    assert_match "hint:", shell_output("#{bin}/ndcli auth status 2>&1", 4)
    assert_match "_clap_complete_ndcli", shell_output("#{bin}/ndcli completions bash")
    assert_path_exists man1/"ndcli.1"
  end
end
