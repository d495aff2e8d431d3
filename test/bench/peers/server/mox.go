package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"golang.org/x/crypto/bcrypt"

	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/system"
)

// moxVersion is the release that is measured.
const moxVersion = "v0.0.15"

// mox is one installation of mox.
type mox struct {
	program, folder, config, resolv string
	process                         *system.Process
}

// StartMox starts mox with "mox serve", for a domain whose mail from the corpus's sender passes SPF and is taken without further analysis.
func (s *Site) StartMox(ctx context.Context) (_ *Server, err error) {
	program, err := s.buildMox(ctx)
	if err != nil {
		return nil, err
	}
	folder, host, ports, err := s.folder("mox", 3)
	if err != nil {
		return nil, err
	}
	at := func(port int) string { return net.JoinHostPort(host, ports[port]) }
	server := &Server{
		Name: "mox", Version: moxVersion, Domain: "mox.example", IMAP: at(0), IMAPS: at(1),
		Settings: []string{"passwords: u: bcrypt of the least cost, 4; slow: of mox's own, 10; one that was right is remembered in memory", "mox serve, LogLevel error", "names are looked up at a server of the bench, at once; the sender passes SPF",
			"ListAllowDomain: no reputation and no junk filter", "no first-time sender delay"},
	}
	nameserver, err := serveNames(host, corpus.SenderDomain)
	if err != nil {
		return nil, err
	}
	m := &mox{program: program, folder: folder, config: filepath.Join(folder, "config"), resolv: filepath.Join(folder, "resolv.conf")}
	for _, path := range []string{m.config, filepath.Join(folder, "data")} {
		if err := os.Mkdir(path, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(m.resolv, []byte("nameserver "+host+"\n"), 0o644); err != nil {
		return nil, err
	}
	err = write(filepath.Join(m.config, "mox.conf"), "mox.conf", map[string]any{"User": user, "Host": host,
		"Certificate": s.certificate, "Key": s.key, "SMTP": ports[2], "IMAP": ports[0], "IMAPS": ports[1]})
	if err != nil {
		return nil, err
	}
	err = write(filepath.Join(m.config, "domains.conf"), "domains.conf", map[string]any{"Domain": server.Domain,
		"Sender": corpus.SenderDomain, "Accounts": localParts()})
	if err != nil {
		return nil, err
	}
	ready := func() error { return errors.Join(answers(at(0))(), answers(at(1))(), answers(at(2))()) }
	if err := m.makeAccounts(ctx, ready); err != nil {
		return nil, err
	}
	if err := m.start(ctx, ready); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { nameserver.Close() })
	server.Processes = system.Group{m.process}
	server.Ways = []Way{{"mox", at(2), false, server.Processes}}
	server.Fill = func(ctx context.Context, maildir string, _ int) error {
		return m.run(ctx, "", "import", "maildir", BigAccount, "Inbox", maildir)
	}
	return server, nil
}

// buildMox builds the pinned release with the Go command, once, in a module of its own.
func (s *Site) buildMox(ctx context.Context) (program string, err error) {
	folder := filepath.Join(s.Cache, "mox-"+moxVersion)
	program = filepath.Join(folder, "mox")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	module := "module peers.invalid/mox\n\ngo 1.23.0\n\nrequire github.com/mjl-/mox " + moxVersion + "\n"
	if err := os.WriteFile(filepath.Join(folder, "go.mod"), []byte(module), 0o644); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-o", program, "github.com/mjl-/mox")
	build.Dir, build.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if err := run(build); err != nil {
		return "", fmt.Errorf("%w: mox: %v", ErrUnavailable, err)
	}
	return program, nil
}

// start starts the server, which sees a resolv.conf of its own in a mount namespace of its own.
func (m *mox) start(ctx context.Context, ready func() error) error {
	command := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		`mount --bind "$1" /etc/resolv.conf && exec "$2" -config "$3" serve`, "sh", m.resolv, m.program, m.conf())
	command.Dir = m.folder // it sets the permissions of where it runs
	process, err := system.Start("mox", filepath.Join(m.folder, "out.log"), command)
	if err != nil {
		return err
	}
	m.process = process
	if err := process.Await(ctx, ready); err != nil {
		return errors.Join(err, process.Stop())
	}
	return nil
}

func (m *mox) conf() string { return filepath.Join(m.config, "mox.conf") }

// run runs one of mox's commands against the running server.
func (m *mox) run(ctx context.Context, input string, arguments ...string) error {
	command := exec.CommandContext(ctx, m.program, append([]string{"-config", m.conf()}, arguments...)...)
	command.Dir, command.Stdin = m.folder, strings.NewReader(input)
	return run(command)
}

// makeAccounts lets mox make one account with a password, and copies it for all the others while mox is down: to set and to verify a
// thousand passwords one by one takes minutes. All but the slow ones get a cheaper hash of the same form and length.
func (m *mox) makeAccounts(ctx context.Context, ready func() error) error {
	if err := m.start(ctx, ready); err != nil {
		return err
	}
	socket := filepath.Join(m.folder, "data", "ctl")
	err := m.process.Await(ctx, func() error { _, err := os.Stat(socket); return err })
	if err == nil {
		err = m.run(ctx, Password+"\n", "setaccountpassword", "u0")
	}
	if err := errors.Join(err, m.process.Stop()); err != nil {
		return err
	}
	accounts := filepath.Join(m.folder, "data", "accounts")
	index, err := os.ReadFile(filepath.Join(accounts, "u0", "index.db"))
	if err != nil {
		return err
	}
	cheap, err := cheapen(index)
	if err != nil {
		return err
	}
	for _, name := range localParts() {
		folder := filepath.Join(accounts, name)
		if err := os.MkdirAll(folder, 0o770); err != nil {
			return err
		}
		content := cheap
		if name[0] == 's' {
			content = index
		}
		path := filepath.Join(folder, "index.db")
		if err := os.WriteFile(path, content, 0o660); err != nil {
			return err
		}
		for _, owned := range []string{folder, path} {
			if err := syscall.Chown(owned, user, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// cheapen replaces the password's hash in a database by one of the least cost.
func cheapen(index []byte) ([]byte, error) {
	old := regexp.MustCompile(`\$2a\$10\$[./A-Za-z0-9]{53}`).Find(index)
	if old == nil {
		return nil, errors.New("mox: found no bcrypt hash in the account that was made")
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(index, old, hash), nil
}
