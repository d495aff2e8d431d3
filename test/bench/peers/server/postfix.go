package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"strings"

	"gouv.tg/messagerie/test/bench/peers/system"
)

// StartPostfix starts Debian's Postfix in front of the Dovecots, to which it gives another way each: SMTP, then LMTP.
func (s *Site) StartPostfix(ctx context.Context, dovecots []*Server) (*Server, error) {
	const name = "postfix"
	if len(dovecots) == 0 {
		return nil, fmt.Errorf("%w: a Dovecot for postfix to deliver to", ErrUnavailable)
	}
	program, err := exec.LookPath("/usr/sbin/postfix")
	if err != nil {
		return nil, fmt.Errorf("%w: /usr/sbin/postfix (Debian package postfix)", ErrUnavailable)
	}
	folder, host, ports, err := s.folder(name, 1)
	if err != nil {
		return nil, err
	}
	owner, err := osuser.Lookup("postfix")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return nil, err
	}
	type target struct{ Domain, Address string }
	var targets []target
	for _, d := range dovecots {
		lmtpHost, lmtpPort, _ := net.SplitHostPort(d.Ways[0].Address)
		targets = append(targets, target{d.Domain, "[" + lmtpHost + "]:" + lmtpPort})
	}
	config, daemons := filepath.Join(folder, "etc"), output("/usr/sbin/postconf", "-d", "-h", "daemon_directory")
	for _, path := range []string{config, filepath.Join(folder, "queue"), filepath.Join(folder, "data")} {
		if err := os.Mkdir(path, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chown(filepath.Join(folder, "data"), uid, -1); err != nil {
		return nil, err
	}
	values := map[string]any{"Folder": folder, "Host": host, "Port": ports[0], "Daemons": daemons, "Commands": filepath.Dir(program), "Targets": targets}
	for _, file := range []string{"main.cf", "master.cf"} {
		if err := write(filepath.Join(config, file), file, values); err != nil {
			return nil, err
		}
	}
	if err := run(exec.CommandContext(ctx, program, "-c", config, "check")); err != nil { // makes the queue's folders too
		return nil, err
	}
	process, err := system.Start(name, filepath.Join(folder, "out.log"), exec.Command(filepath.Join(daemons, "master"), "-c", config, "-s"))
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(host, ports[0])
	if err := process.Await(ctx, answers(address)); err != nil {
		_ = process.Stop()
		return nil, err
	}
	for _, d := range dovecots {
		together := append(system.Group{process}, d.Processes...)
		d.Ways = append([]Way{{name + "+" + d.Name, address, false, together}}, d.Ways...)
		d.Settings = append(d.Settings, "behind Postfix: lmtp_destination_concurrency_limit 64, in_flow_delay 0")
	}
	return &Server{
		Name: name, Version: strings.TrimPrefix(output("/usr/sbin/postconf", "-d", "-h", "mail_version"), "postfix-"),
		Processes: system.Group{process},
	}, nil
}
