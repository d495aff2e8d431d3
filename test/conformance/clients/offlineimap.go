package clients

import (
	"fmt"
	"os/exec"
)

// offlineimap keeps each account and one Maildir alike. It keeps neither keywords nor dates there.
var offlineimap = client{
	name: "offlineimap", program: "offlineimap", pkg: "offlineimap3", keeps: keeps{},
	prepare: func(dir string, a, b endpoint, _ stage) ([]*exec.Cmd, error) {
		if err := mkdirs(dir, "mail"); err != nil {
			return nil, err
		}
		text := fmt.Sprintf("[general]\naccounts = a, b\nmetadata = %s/state\nui = basic\nmaxsyncaccounts = 1\n", dir)
		for _, x := range []struct {
			name string
			e    endpoint
		}{{"a", a}, {"b", b}} {
			text += fmt.Sprintf(`
[Account %[1]s]
localrepository = local-%[1]s
remoterepository = remote-%[1]s
synclabels = no

[Repository local-%[1]s]
type = Maildir
localfolders = %[7]s/mail
sep = /

[Repository remote-%[1]s]
type = IMAP
ssl = yes
remotehost = %[2]s
remoteport = %[3]s
remoteuser = %[4]s
remotepass = %[5]s
sslcacertfile = %[6]s
createfolders = True
expunge = yes
`, x.name, x.e.host, x.e.port, x.e.user, x.e.password, x.e.ca, dir)
		}
		config, err := write(dir, "offlineimaprc", text)
		run := func(name string) *exec.Cmd { return exec.Command("offlineimap", "-o", "-c", config, "-a", name) }
		return []*exec.Cmd{run("a"), run("b"), run("a")}, err
	},
}
