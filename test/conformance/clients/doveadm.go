package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// doveadmBackup carries A over to a store of Dovecot's and from there to B, through Dovecot's imapc. An INBOX that had
// messages before cannot be filled so: its UIDs would have to be given again.
var doveadmBackup = client{
	name: "doveadm-backup", program: "doveadm", pkg: "dovecot-imapd", store: doveadmStore, except: "INBOX",
	keeps: keeps{keywords: true, dates: true},
	prepare: func(dir string, a, b endpoint, s stage) ([]*exec.Cmd, error) {
		pull := step{a, []string{"backup", "-R", "imapc:"}}
		if s == first {
			return doveadm(dir, pull, step{b, []string{"backup", "-x", "INBOX", "imapc:"}})
		}
		return doveadm(dir, pull)
	},
}

// doveadmSync keeps A and a store of Dovecot's alike, which is changed too.
var doveadmSync = client{
	name: "doveadm-sync", program: "doveadm", pkg: "dovecot-imapd", store: doveadmStore, except: "*",
	keeps: keeps{keywords: true, dates: true},
	prepare: func(dir string, a, _ endpoint, s stage) ([]*exec.Cmd, error) {
		sync := step{a, []string{"sync", "imapc:"}}
		switch s {
		case first:
			return doveadm(dir, step{a, []string{"backup", "-R", "imapc:"}})
		case again:
			return doveadm(dir, sync)
		}
		return doveadm(dir, sync,
			step{a, []string{"flags", "add", "\\Flagged store", "mailbox", "work", "1:3"}},
			step{a, []string{"flags", "remove", "\\Seen", "mailbox", "work/2025", "all"}},
			step{a, []string{"expunge", "mailbox", "日本語/été", "2,4"}},
			step{a, []string{"copy", "with space", "mailbox", "INBOX", "1:2"}},
			sync, sync)
	},
}

// doveadmStore reads Dovecot's own store.
func doveadmStore(dir string, a endpoint) (tree, error) {
	commands, err := doveadm(dir, step{a, []string{"mailbox", "list"}},
		step{a, []string{"-f", "json", "fetch", "mailbox flags date.received.unixtime text", "all"}})
	if err != nil {
		return nil, err
	}
	names, err := execute(dir, commands[0])
	if err != nil {
		return nil, err
	}
	t := tree{}
	for name := range strings.Lines(string(names)) {
		t[strings.TrimSuffix(name, "\n")] = []message{}
	}
	out, err := execute(dir, commands[1])
	if err != nil {
		return nil, err
	}
	var all []struct {
		Mailbox, Flags, Text string
		Date                 string `json:"date.received.unixtime"`
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("doveadm fetch: %w", err)
	}
	for _, m := range all {
		seconds, err := strconv.ParseInt(m.Date, 10, 64)
		if err != nil {
			return nil, err
		}
		// doveadm shows lines without CR.
		text := strings.ReplaceAll(strings.ReplaceAll(m.Text, "\r\n", "\n"), "\n", "\r\n")
		t[m.Mailbox] = append(t[m.Mailbox], newMessage(text, strings.Fields(m.Flags), time.Unix(seconds, 0)))
	}
	for _, messages := range t {
		order(messages)
	}
	return t, nil
}

type step struct {
	endpoint
	command []string
}

// doveadm runs without a server, as the system's mail user when we are root, since Dovecot refuses root.
func doveadm(dir string, steps ...step) ([]*exec.Cmd, error) {
	if err := mkdirs(dir, "local", "run"); err != nil {
		return nil, err
	}
	var credential *syscall.Credential
	if os.Geteuid() == 0 {
		owner, err := osuser.Lookup("mail")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		err = filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			return os.Lchown(path, uid, gid)
		})
		if err != nil {
			return nil, err
		}
	}
	var commands []*exec.Cmd
	for _, s := range steps {
		// Passwords are in files, not among arguments that others can see.
		config, err := write(dir, "dovecot-"+s.user+".conf", fmt.Sprintf(doveadmConfig, dir, s.host, s.port, s.user,
			s.password, s.ca))
		if err != nil {
			return nil, err
		}
		if credential != nil {
			if err := os.Lchown(config, int(credential.Uid), int(credential.Gid)); err != nil {
				return nil, err
			}
		}
		cmd := exec.Command("doveadm", append([]string{"-c", config}, s.command...)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		commands = append(commands, cmd)
	}
	return commands, nil
}

const doveadmConfig = `
base_dir = %[1]s/run
log_path = /dev/stderr
ssl = no
mail_location = sdbox:%[1]s/local/mail
mail_fsync = never
first_valid_uid = 1
imapc_host = %[2]s
imapc_port = %[3]s
imapc_user = %[4]s
imapc_password = %[5]s
imapc_ssl = imaps
imapc_features = rfc822.size fetch-headers
ssl_client_ca_file = %[6]s
namespace inbox {
  inbox = yes
  separator = /
}
`
