package clients

import (
	"fmt"
	"os/exec"
)

// interimap keeps two accounts alike by QRESYNC, without a store between them.
var interimap = client{
	name: "interimap", program: "interimap", pkg: "interimap", keeps: keeps{keywords: true, dates: true},
	prepare: func(dir string, a, b endpoint, _ stage) ([]*exec.Cmd, error) {
		text := fmt.Sprintf("database = %s/interimap.db\nlist-mailbox = *\n", dir)
		for _, x := range []struct {
			name string
			e    endpoint
		}{{"local", a}, {"remote", b}} {
			text += fmt.Sprintf("\n[%s]\ntype = imaps\nhost = %s\nport = %s\nusername = %s\npassword = %s\nSSL_CAfile = %s\n",
				x.name, x.e.host, x.e.port, x.e.user, x.e.password, x.e.ca)
		}
		config, err := write(dir, "interimaprc", text)
		return []*exec.Cmd{exec.Command("interimap", "--config="+config)}, err
	},
}
