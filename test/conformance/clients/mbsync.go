package clients

import (
	"fmt"
	"os/exec"
)

// mbsync keeps each account and one Maildir alike. It keeps no keywords in a Maildir.
var mbsync = client{
	name: "mbsync", program: "mbsync", pkg: "isync", keeps: keeps{dates: true},
	prepare: func(dir string, a, b endpoint, _ stage) ([]*exec.Cmd, error) {
		if err := mkdirs(dir, "mail", "state-a", "state-b"); err != nil {
			return nil, err
		}
		text := fmt.Sprintf(`MaildirStore near
Path %[1]s/mail/
Inbox %[1]s/mail/INBOX
SubFolders Verbatim

`, dir)
		for name, e := range map[string]endpoint{"a": a, "b": b} {
			text += fmt.Sprintf(`IMAPAccount %[1]s
Host %[2]s
Port %[3]s
User "%[4]s"
Pass "%[5]s"
SSLType IMAPS
SystemCertificates no
CertificateFile %[6]s

IMAPStore %[1]s
Account %[1]s

Channel %[1]s
Far :%[1]s:
Near :near:
Patterns *
Create Both
Expunge Both
CopyArrivalDate yes
SyncState %[7]s/state-%[1]s/

`, name, e.host, e.port, e.user, e.password, e.ca, dir)
		}
		config, err := write(dir, "mbsyncrc", text)
		return []*exec.Cmd{
			exec.Command("mbsync", "-c", config, "a"),
			exec.Command("mbsync", "-c", config, "b"),
			exec.Command("mbsync", "-c", config, "a"),
		}, err
	},
}
