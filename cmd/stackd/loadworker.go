package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"gouv.tg/messagerie/loadtest/distribution"
	"gouv.tg/messagerie/loadtest/scenario"
	"gouv.tg/messagerie/mailstack/link"
)

const (
	maxWorkerConfig = 64 << 10
)

// loadWorkerConfig is the file a load worker starts from.
type loadWorkerConfig struct {
	// Listen is host:port. An empty host is $POD_IP, or all addresses where that is unset.
	Listen string `json:"listen"`
	// TLSDir holds tls.crt, tls.key and ca.crt.
	TLSDir string `json:"tlsDir"`
	// Coordinator is the identity of who may give orders.
	Coordinator string `json:"coordinator"`
	// Accounts is a CSV file with the columns address and password.
	Accounts string `json:"accounts"`
}

// loadWorker makes its share of the load of one test.
func loadWorker(ctx context.Context, path string, log *slog.Logger) error {
	config, err := readLoadWorkerConfig(path)
	if err != nil {
		return err
	}
	tlsConfig, err := link.ServerConfig(config.TLSDir, config.Coordinator)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(config.Listen)
	if err != nil {
		return fmt.Errorf("listen: found %q; accepted is host:port", config.Listen)
	}
	if host == "" {
		host = os.Getenv("POD_IP")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("cannot listen for the coordinator: %w", err)
	}
	name, err := os.Hostname()
	if err != nil {
		return errors.Join(fmt.Errorf("cannot find out the own name: %w", err), listener.Close())
	}
	return distribution.Serve(ctx, listener, distribution.ServerOptions{
		Name: name, Engine: withAccounts{distribution.Load, config.Accounts}, TLS: tlsConfig, Log: log,
	})
}

func readLoadWorkerConfig(path string) (c loadWorkerConfig, err error) {
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer f.Close()
	decoder := json.NewDecoder(io.LimitReader(f, maxWorkerConfig))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("cannot read the configuration %s: %w", path, err)
	}
	for field, value := range map[string]string{"listen": c.Listen, "tlsDir": c.TLSDir, "coordinator": c.Coordinator, "accounts": c.Accounts} {
		if value == "" {
			return c, fmt.Errorf("%s: found nothing; accepted is a text", field)
		}
	}
	return c, nil
}

// withAccounts reads the accounts here, so that passwords do not go through the coordinator.
type withAccounts struct {
	distribution.Engine
	path string
}

func (e withAccounts) Prepare(ctx context.Context, in distribution.Input, log *slog.Logger) (distribution.Share, error) {
	f, err := os.Open(e.path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the accounts: %w", err)
	}
	defer f.Close()
	if in.Accounts, err = scenario.ReadAccounts(f); err != nil {
		return nil, err
	}
	return e.Engine.Prepare(ctx, in, log)
}
