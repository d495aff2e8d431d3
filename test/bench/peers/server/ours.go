package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"

	"gouv.tg/messagerie/loadtest/protocol/smtp"
	"gouv.tg/messagerie/loadtest/wire"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/cell"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/gateway"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/pki"
	"gouv.tg/messagerie/test/bench/peers/corpus"
	"gouv.tg/messagerie/test/bench/peers/system"
	"gouv.tg/messagerie/version"
)

// Ours is what the server under development is called.
const Ours = "ours"

const (
	maxMessageBytes = 25 << 20
	// memoryLimit is what a small ministry's cell is given (GOMEMLIMIT).
	memoryLimit = "GOMEMLIMIT=966367641"
)

// StartOurs starts a gateway and a cell as Pods run them, linked over mutual TLS.
func (s *Site) StartOurs(ctx context.Context) (_ *Server, err error) {
	if s.Stackd == "" {
		s.Stackd = filepath.Join(s.Folder, "stackd")
		build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", s.Stackd, "gouv.tg/messagerie/cmd/stackd")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := run(build); err != nil {
			return nil, err
		}
	}
	folder, host, ports, err := s.folder(Ours, 8)
	if err != nil {
		return nil, err
	}
	at := func(port int) string { return net.JoinHostPort(host, ports[port]) }
	server := &Server{
		Name: Ours, Version: version.Version, Domain: "ours.example", IMAPS: at(0),
		Settings: []string{"passwords: argon2id m=19456 t=2 p=1 for all; one that was right is remembered by an HMAC", "stackd gateway and stackd cell, linked over TLS 1.3", memoryLimit + " for the cell", "LOGIN only under TLS"},
	}
	defer func() {
		if err != nil {
			_ = server.Processes.Stop()
		}
	}()
	socket := filepath.Join(folder, "admin.sock")
	const ministry = "bench"
	cellConfig := cell.Config{
		Ministry: ministry, Domains: []string{server.Domain}, Hostname: Hostname,
		DataDir: filepath.Join(folder, "data"), LinkDir: filepath.Join(folder, "cell-link"), AdminSocket: socket,
		Listen:          cell.Listen{Link: at(3), Admin: at(4), Health: at(5)},
		MaxMessageBytes: maxMessageBytes, MaxRecipients: 100, Services: []string{link.ServiceIMAP, link.ServiceSubmission},
	}
	gatewayConfig := gateway.Config{
		Hostname: Hostname, TLSDir: filepath.Dir(s.certificate), LinkDir: filepath.Join(folder, "gateway-link"),
		Listen:          gateway.Listen{IMAPS: at(0), SMTP: at(1), LMTP: at(2), Health: at(6)},
		TrustedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		MaxMessageBytes: maxMessageBytes, MaxRecipients: 100, MaxConnections: 16000, MaxConnectionsPerAddress: 2000,
		Routes: gateway.Routes{Static: []gateway.StaticRoute{{Ministry: ministry, Address: at(3), Domains: []string{server.Domain}}}},
	}
	if err := s.authority.issue(cellConfig.LinkDir, pki.Request{CommonName: "cell", URI: link.CellURI(ministry)}); err != nil {
		return nil, err
	}
	if err := s.authority.issue(gatewayConfig.LinkDir, pki.Request{CommonName: "gateway", URI: link.GatewayURI}); err != nil {
		return nil, err
	}
	if err := os.Mkdir(cellConfig.DataDir, 0o700); err != nil {
		return nil, err
	}
	if err := s.startRole(server, folder, "cell", cellConfig, memoryLimit); err != nil {
		return nil, err
	}
	if err := server.Processes[0].Await(ctx, func() error { return putAccounts(ctx, socket, server) }); err != nil {
		return nil, err
	}
	if err := s.startRole(server, folder, "gateway", gatewayConfig); err != nil {
		return nil, err
	}
	server.Ways = []Way{{Ours, at(1), false, server.Processes}, {Ours + "-lmtp", at(2), true, server.Processes}}
	server.Fill = func(ctx context.Context, _ string, n int) error {
		return fillByLMTP(ctx, at(2), server.BigUser(), s.Corpus, n)
	}
	ready := func() error { return probe(ctx, at(2), server.User(0)) }
	return server, server.Processes[1].Await(ctx, ready)
}

// startRole starts one role of stackd with a configuration.
func (s *Site) startRole(server *Server, folder, role string, config any, environment ...string) error {
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, role+".json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	command := exec.Command(s.Stackd, role, "--config", path)
	command.Env = append(os.Environ(), environment...)
	process, err := system.Start(role, filepath.Join(folder, role+".log"), command)
	if err != nil {
		return err
	}
	server.Processes = append(server.Processes, process)
	return nil
}

// putAccounts makes the accounts through the cell's own administration. u0… share one hash, so that it is computed once in all.
func putAccounts(ctx context.Context, socket string, server *Server) error {
	common, err := directory.Hash(Password)
	if err != nil {
		return err
	}
	var accounts []admin.Account
	for _, local := range localParts() {
		hash := common
		if local[0] == 's' {
			if hash, err = directory.Hash(Password); err != nil {
				return err
			}
		}
		accounts = append(accounts, admin.Account{Address: local + "@" + server.Domain, Password: hash})
	}
	client := admin.NewUnixClient(socket)
	defer client.Close()
	_, err = client.PutAccounts(ctx, accounts)
	return err
}

// probe asks whether a recipient is accepted, and delivers nothing.
func probe(ctx context.Context, address, to string) error {
	client, err := smtp.Dial(ctx, &wire.Dialer{}, address, smtp.Options{LMTP: true})
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Send(ctx, corpus.From, []string{to}, []byte("Subject: ready\r\n\r\n"))
	return err
}

// fillByLMTP delivers the first n messages to one account, 16 at a time, in no particular order.
func fillByLMTP(ctx context.Context, address, to string, c *corpus.Corpus, n int) error {
	const sessions = 16
	var next atomic.Int64
	var running sync.WaitGroup
	errs := make(chan error, sessions)
	for range sessions {
		running.Go(func() {
			client, err := smtp.Dial(ctx, &wire.Dialer{}, address, smtp.Options{LMTP: true})
			if err != nil {
				errs <- err
				return
			}
			defer client.Close()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if _, err := client.Send(ctx, corpus.From, []string{to}, c.Message(i)); err != nil {
					errs <- fmt.Errorf("message %d: %w", i, err)
					return
				}
			}
		})
	}
	running.Wait()
	close(errs)
	return <-errs
}
