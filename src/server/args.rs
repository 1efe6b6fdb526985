//! The server's flags: where it listens, and its limits.
//!
//! Each number is a promise to the cluster, so each says where it comes from. They are all flags, because a
//! test of a limit must be able to lower it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::server::record::LoggedReviews;
use crate::server::review_size::ORDINARY_BYTES;

/// kube-apiserver keeps an idle connection to a webhook for 90 s. Go does not send a POST again once a byte
/// of it was written, so a server that closes first turns a race into a failed call.
const API_SERVER_IDLE: Duration = Duration::from_secs(90);

/// No wait is ever meant to be longer, and sums of such durations cannot overflow.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Where and how to serve.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
#[group(id = "server")]
pub struct ServerArgs {
    /// Where reviews are answered, over HTTPS; :8443 is that port of all addresses.
    #[arg(long, env = "PODGATE_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8443", value_parser = address)]
    pub listen: SocketAddr,

    /// Where /livez, /readyz and /metrics are answered, over plain HTTP.
    #[arg(long, env = "PODGATE_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080", value_parser = address)]
    pub admin_listen: SocketAddr,

    /// How often policies and certificates are looked at for changes.
    ///
    /// A ConfigMap or Secret takes up to a minute to reach the pod, so looking more often gains nothing.
    #[arg(long, env = "PODGATE_RELOAD_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = positive)]
    pub reload_interval: Duration,

    /// How long connections are still accepted after SIGTERM, while the API servers learn that this pod is
    /// going.
    ///
    /// Together with --drain-timeout it must stay under the pod's terminationGracePeriodSeconds, which is
    /// 30 s by default.
    #[arg(long, env = "PODGATE_DRAIN_DELAY", value_name = "DURATION", default_value = "8s", value_parser = bounded)]
    pub drain_delay: Duration,

    /// How long requests in flight may take to end after that.
    #[arg(long, env = "PODGATE_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "20s", value_parser = bounded)]
    pub drain_timeout: Duration,

    /// Which reviews are logged, at the level info: all, none, or those that are notable.
    ///
    /// Notable is what was refused, patched, warned of, audited, let pass unjudged, could not be judged, or took 100 ms. The
    /// API server's own audit log has the others, too.
    #[arg(
        long,
        env = "PODGATE_LOG_REVIEWS",
        value_name = "WHICH",
        default_value = "notable",
        help_heading = "Log",
        hide_possible_values = true
    )]
    pub log_reviews: LoggedReviews,

    /// What the server bears from its peers.
    #[command(flatten)]
    pub limits: ServerLimits,
}

/// The limits on what peers may send and hold.
#[derive(Debug, Clone, Copy, clap::Args)]
#[command(next_help_heading = "Server limits")]
pub struct ServerLimits {
    /// The longest review that is read. A longer one is refused.
    ///
    /// A pod may have 1.5 MiB in etcd, and a review holds it twice, with every < > & in six bytes. Judging takes
    /// up to eight times its size, and one of the longest is judged at once.
    #[arg(long, env = "PODGATE_MAX_BODY_BYTES", value_name = "BYTES", default_value = "8388608")]
    pub max_body_bytes: usize,

    /// How many bytes of reviews are kept at once, beside the first 16 KiB of each connection: half of it for
    /// those of at most 256 KiB, half for longer ones.
    ///
    /// Past it a review waits. One that comes no further gives way to those that wait; what still finds no room in
    /// time is refused with the code 429, or by HTTP 429 and Retry-After if its uid cannot be read.
    #[arg(
        long,
        env = "PODGATE_MAX_BUFFERED_BYTES",
        value_name = "BYTES",
        default_value = "50331648",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub max_buffered_bytes: u32,

    /// How many connections are open at once. Past it, one that waits for its peer is closed for each new one.
    ///
    /// Of the address with the most connections the longest idle goes first. Fewer are kept where the limit of open
    /// files (RLIMIT_NOFILE) cannot be raised far enough. Three API servers with 600 requests in flight each make 1800.
    #[arg(
        long,
        env = "PODGATE_MAX_CONNECTIONS",
        value_name = "COUNT",
        default_value = "2048",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub max_connections: u32,

    /// How long a TLS handshake may take.
    #[arg(long, env = "PODGATE_HANDSHAKE_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = positive)]
    pub handshake_timeout: Duration,

    /// How long the head of a request may take, from its first byte.
    #[arg(long, env = "PODGATE_HEADER_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = positive)]
    pub header_timeout: Duration,

    /// How long the body of a request may take; less where the API server's own timeout is shorter. An
    /// answer must be taken within the same time.
    #[arg(long, env = "PODGATE_BODY_TIMEOUT", value_name = "DURATION", default_value = "5s", value_parser = positive)]
    pub body_timeout: Duration,

    /// How long a connection may stay open between requests; at least 90s, which is how long the API server
    /// keeps its own.
    #[arg(long, env = "PODGATE_IDLE_TIMEOUT", value_name = "DURATION", default_value = "150s", value_parser = idle)]
    pub idle_timeout: Duration,
}

impl ServerLimits {
    /// Whether the memory budgets have room for each review that is short enough.
    pub(super) fn check(&self) -> Result<(), String> {
        let least = self.max_body_bytes.max(ORDINARY_BYTES).saturating_mul(2);
        if (self.max_buffered_bytes as usize) < least {
            return Err(format!(
                "--max-buffered-bytes {} is less than {least}, twice the longest review: half of it is for long \
                 reviews and half for those of up to {ORDINARY_BYTES} bytes, so that the longest of each kind could \
                 never be read; raise it, or lower --max-body-bytes, which is {}",
                self.max_buffered_bytes, self.max_body_bytes
            ));
        }
        Ok(())
    }
}

fn bounded(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration > LONGEST {
        return Err("more than 24h".into());
    }
    Ok(duration)
}

fn positive(text: &str) -> Result<Duration, String> {
    match bounded(text)? {
        Duration::ZERO => Err("must be more than 0s: nothing is done in no time".into()),
        duration => Ok(duration),
    }
}

fn idle(text: &str) -> Result<Duration, String> {
    match bounded(text)? {
        duration if duration < API_SERVER_IDLE => Err(
            "must be at least 90s: kube-apiserver keeps idle connections for 90 s and does not send a review \
             again that met a closed one, so a shorter time makes admission fail"
                .into(),
        ),
        duration => Ok(duration),
    }
}

/// Reads an address: without an IP address, `:8443`, all of them are meant.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').and_then(|port| port.parse().ok());
    let all = port.map(|port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)));
    let address = all.or_else(|| text.parse().ok());
    address.ok_or_else(|| {
        "not an address with its port, as 127.0.0.1:8443, [::1]:8443, or :8443 for all addresses".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: ServerArgs,
    }

    fn parse(flags: &[&str]) -> Result<ServerArgs, String> {
        Cli::try_parse_from([&["podgate"], flags].concat())
            .map(|cli| cli.args)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.listen.to_string(), "0.0.0.0:8443");
        assert_eq!(args.admin_listen.to_string(), "0.0.0.0:8080");
        assert_eq!(args.limits.max_body_bytes, 8 * 1024 * 1024);
        assert_eq!(args.limits.max_buffered_bytes, 48 * 1024 * 1024);
        assert_eq!(args.limits.idle_timeout, Duration::from_secs(150));
        // The kubelet kills after 30 s unless told otherwise.
        assert!(args.drain_delay + args.drain_timeout < Duration::from_secs(30));
    }

    #[test]
    fn refused() {
        for (flags, why) in [
            (["--idle-timeout", "89s"], "kube-apiserver keeps idle connections for 90 s"),
            (["--header-timeout", "0s"], "must be more than 0s"),
            (["--body-timeout", "48h"], "more than 24h"),
            (["--handshake-timeout", "5"], "time unit needed"),
            (["--max-connections", "0"], "0 is not in 1.."),
            (["--log-reviews", "some"], "invalid value 'some'"),
            (["--listen", "8443"], "or :8443 for all addresses"),
            (["--listen", ":65536"], "or :8443 for all addresses"),
            (["--admin-listen", "localhost:80"], "or :8443 for all addresses"),
        ] {
            let error = parse(&flags).unwrap_err();
            assert!(error.contains(why) && error.contains(flags[0]), "{flags:?}: {error}");
        }
    }

    #[test]
    fn room_for_the_longest() {
        for (flags, fits) in [
            (&[][..], true),
            (&["--max-body-bytes=1000", "--max-buffered-bytes=524288"], true),
            (&["--max-body-bytes=1000", "--max-buffered-bytes=524287"], false),
            (&["--max-buffered-bytes=16777216"], true),
            (&["--max-buffered-bytes=16777215"], false),
            (&["--max-body-bytes=30000000"], false),
        ] {
            let checked = parse(flags).unwrap().limits.check();
            assert_eq!(checked.is_ok(), fits, "{flags:?}: {checked:?}");
            assert!(checked.is_ok() || checked.unwrap_err().contains("--max-buffered-bytes"), "{flags:?}");
        }
    }

    #[test]
    fn accepted() {
        for (given, expected) in [(":9443", "0.0.0.0:9443"), (":0", "0.0.0.0:0"), ("[::]:1", "[::]:1")] {
            assert_eq!(parse(&["--listen", given]).unwrap().listen.to_string(), expected);
            assert_eq!(parse(&["--admin-listen", given]).unwrap().admin_listen.to_string(), expected);
        }
        assert_eq!(parse(&["--idle-timeout", "90s"]).unwrap().limits.idle_timeout, API_SERVER_IDLE);
        assert_eq!(parse(&["--drain-delay", "0s"]).unwrap().drain_delay, Duration::ZERO);
    }
}
