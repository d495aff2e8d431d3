// Package server runs the peers: our gateway and cell, Postfix, Dovecot and mox, each from a folder of its own, on loopback addresses
// and high ports. Nothing of the system's own configuration is read or written, and nothing is left behind.
package server

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/system"
)

// ErrUnavailable says that a peer cannot be had here.
var ErrUnavailable = errors.New("not to be had here")

// Accounts of every peer: u0 to u999, whose passwords cost a peer next to nothing to verify; slow0 to slow9, whose passwords cost
// what they do by default; and big.
const (
	Accounts     = 1000
	SlowAccounts = 10
	BigAccount   = "big"
)

// Password is everybody's. mox remembers only those of 8 octets and more.
const Password = "lome-1960-0427"

// Hostname is what every peer calls itself.
const Hostname = "mail.bench.example"

// Server is one peer that runs.
type Server struct {
	Name      string
	Version   string
	Domain    string
	IMAPS     string // host:port
	IMAP      string // host:port without TLS; empty: LOGIN is not allowed there
	Ways      []Way
	Processes system.Group
	Settings  []string // what is set, for the report
	// Fill puts the first n messages of the corpus into the big account, as fast as the peer can. maildir holds them as files.
	Fill func(ctx context.Context, maildir string, n int) error
}

// Way is one way to deliver to a peer.
type Way struct {
	Name      string
	Address   string // host:port
	LMTP      bool
	Processes system.Group // those that take part
}

// User is the address and login of an account.
func (s *Server) User(account int) string { return fmt.Sprintf("u%d@%s", account, s.Domain) }

// SlowUser is the address and login of an account with a costly password.
func (s *Server) SlowUser(account int) string { return fmt.Sprintf("slow%d@%s", account, s.Domain) }

// BigUser is the address and login of the big account.
func (s *Server) BigUser() string { return BigAccount + "@" + s.Domain }

// localParts are the accounts every peer has.
func localParts() []string {
	var names []string
	for i := range Accounts {
		names = append(names, fmt.Sprintf("u%d", i))
	}
	for i := range SlowAccounts {
		names = append(names, fmt.Sprintf("slow%d", i))
	}
	return append(names, BigAccount)
}

// Site is what the peers of one run share.
type Site struct {
	Folder string // private to this run
	Cache  string // kept between runs: programs that were built
	Stackd string // of ours; empty: it is built
	Corpus *corpus.Corpus

	certificate, key string // PEM files
	authority        authority
	next             int // the next peer's address is 127.77.next.1
}

// user is who owns Dovecot's and mox's mail: nobody that the system knows.
const user = 23_960

//go:embed conf
var conf embed.FS

// write makes a file of one of the templates in conf.
func write(path, name string, values any) error {
	t, err := template.ParseFS(conf, "conf/"+name)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := t.Execute(&b, values); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// folder makes a folder of a peer and returns a loopback address of its own with n free ports.
func (s *Site) folder(name string, n int) (folder, host string, ports []string, err error) {
	folder = filepath.Join(s.Folder, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", "", nil, err
	}
	s.next++
	host = fmt.Sprintf("127.77.%d.1", s.next)
	for range n {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			return "", "", nil, err
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return folder, host, ports, nil
}

// answers says whether somebody listens.
func answers(address string) func() error {
	return func() error {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err
	}
}

// run runs a command to its end.
func run(command *exec.Cmd) error {
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(command.Path), err, out[max(0, len(out)-2000):])
	}
	return nil
}

// output runs a command and returns the first line it writes.
func output(name string, arguments ...string) string {
	out, err := exec.Command(name, arguments...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
