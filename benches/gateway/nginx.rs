//! The reference for creates: nginx, which forwards the same signed requests to the same stand-in.
//!
//! It keeps its connections alive and stores nothing: this is the minimum that any proxy has to do. It runs on loopback
//! with a configuration of our own, as nobody if we are root, and stops when this value is dropped.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use eci_cache_gateway::localpg::current_uid;

use crate::served::{answers, ask_to_end, free_address};

/// The uid of nobody on Debian and elsewhere.
const NOBODY: u32 = 65_534;

/// A running nginx.
pub(crate) struct Nginx {
    child: Child,
    folder: PathBuf,
    /// The address on which it listens.
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Starts it in front of `upstream`. `Err` says why it is unavailable.
    pub(crate) async fn start(upstream: SocketAddr) -> anyhow::Result<Self> {
        let address = free_address()?;
        // In the temporary directory, which nobody can access too.
        let folder = std::env::temp_dir().join(format!("ecg-bench-nginx-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("nginx.conf"), configuration(address, upstream))?;
        // Debian installs it in a directory that is not in every PATH.
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter().find(|path| Path::new(path).is_file());
        let mut command = Command::new(program.unwrap_or("nginx"));
        if current_uid()? == 0 {
            std::os::unix::fs::chown(&folder, Some(NOBODY), Some(NOBODY))?;
            command.uid(NOBODY).gid(NOBODY);
        }
        command.arg("-p").arg(&folder).args(["-e", "stderr", "-c", "nginx.conf"]);
        let child = command.stdin(Stdio::null()).spawn().context("nginx is not installed (Debian: nginx-light)")?;
        let mut nginx = Self { child, folder, address };
        answers(address, "/healthz", &mut nginx.child).await?;
        Ok(nginx)
    }

    /// The pid of its master process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // On SIGTERM it stops its workers too; SIGKILL would leave them running.
        ask_to_end(&mut self.child);
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn configuration(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "daemon off; worker_processes 2; pid nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi; tcp_nodelay on;
    upstream cloud {{ server {upstream}; keepalive 256; keepalive_requests 100000000; }}
    server {{
        listen {address} backlog=1024; keepalive_requests 100000000;
        location = /healthz {{ return 200; }}
        location / {{ proxy_pass http://cloud; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}
    }}
}}
"
    )
}
