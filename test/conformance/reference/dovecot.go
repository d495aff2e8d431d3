package reference

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Dovecot starts Debian's Dovecot with Maildir-like sdbox storage in a temporary directory, or skips the test where it
// is not installed. Its mail belongs to the system's "mail" user.
func Dovecot(t testing.TB) *Server {
	t.Helper()
	binary, err := exec.LookPath("dovecot")
	if _, errIMAP := os.Stat("/usr/lib/dovecot/imap"); err != nil || errIMAP != nil {
		t.Skip("dovecot is not installed: hack/install dovecot-imapd")
	}
	requireRoot(t, "dovecot")
	dir := workdir(t, "dovecot")
	certFile, keyFile, config, err := certificate(dir)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := user.Lookup("mail")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(dir, "mail"), uid, gid); err != nil {
		t.Fatal(err)
	}
	s := &Server{
		CertFile: certFile, TLS: config, Dir: dir, Config: filepath.Join(dir, "dovecot.conf"),
		User: "afi@example.org", Password: "secret one", User2: "kofi@example.org", Password2: "secret two",
	}
	var users strings.Builder
	for user, password := range map[string]string{s.User: s.Password, s.User2: s.Password2} {
		fmt.Fprintf(&users, "%s:{PLAIN}%s:%d:%d::%s/mail/%s::\n", user, password, uid, gid, dir, user)
	}
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte(users.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	plain, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	secure, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	// A client from the address it connects to counts as local, and local ones need no TLS; 127.0.0.1 is another.
	s.Addr, s.PlainAddr = fmt.Sprintf("%s:%d", other, secure), fmt.Sprintf("%s:%d", other, plain)
	text := strings.NewReplacer("DIR", dir, "UID", owner.Uid, "CERT", certFile, "KEY", keyFile,
		"SECURE", strconv.Itoa(secure), "PLAINPORT", strconv.Itoa(plain)).Replace(dovecotConfig)
	if err := os.WriteFile(s.Config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, exec.Command(binary, "-F", "-c", s.Config), s.Addr)
	return s
}

// other is a loopback address that no client comes from.
const other = "127.0.0.2"

const dovecotConfig = `
protocols = imap
base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/log
listen = 127.0.0.2
ssl = required
ssl_cert = <CERT
ssl_key = <KEY
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
auth_mechanisms = plain login scram-sha-1 scram-sha-256
auth_failure_delay = 0 secs
login_trusted_networks =
first_valid_uid = 1
mail_fsync = never
mail_location = sdbox:~/dbox
mail_access_groups =
mail_attribute_dict = file:~/attributes
mail_plugins = $mail_plugins acl quota notify
mailbox_list_index = yes
mail_max_userip_connections = 50
service imap-login {
  inet_listener imap {
    port = PLAINPORT
  }
  inet_listener imaps {
    port = SECURE
    ssl = yes
  }
  client_limit = 500
  process_min_avail = 1
  service_count = 0
}
service anvil {
  client_limit = 1203
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap {
  service_count = 100
  process_min_avail = 2
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
passdb {
  driver = passwd-file
  args = username_format=%u DIR/users
}
userdb {
  driver = passwd-file
  args = username_format=%u DIR/users
}
protocol imap {
  mail_plugins = $mail_plugins imap_acl imap_quota imap_zlib
  imap_metadata = yes
  imap_capability =
}
namespace inbox {
  inbox = yes
  separator = /
  prefix =
  mailbox Drafts {
    special_use = \Drafts
    auto = create
  }
  mailbox Sent {
    special_use = \Sent
    auto = create
  }
  mailbox Trash {
    special_use = \Trash
    auto = create
  }
}
namespace shared {
  type = shared
  separator = /
  prefix = shared/%%u/
  location = sdbox:DIR/mail/%%u/dbox
  subscriptions = no
  list = children
}
plugin {
  acl = vfile
  acl_anyone = allow
  acl_shared_dict = file:DIR/mail/shared.db
  quota = count:User quota
  quota_rule = *:storage=100M:messages=10000
  quota_vsizes = yes
}
`
