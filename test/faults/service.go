package faults

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gouv.tg/messagerie/test/harness"
)

// service is where clients connect; it may change when an installation is started again.
type service struct{ at atomic.Pointer[endpoints] }

type endpoints struct {
	submission, imaps string
	tls               *tls.Config
}

func (s *service) get() *endpoints { return s.at.Load() }

func (s *service) set(status harness.Status) error {
	config, err := status.ClientTLS()
	if err != nil {
		return err
	}
	at := &endpoints{status.Endpoints["submission"], status.Endpoints["imaps"], config}
	if at.submission == "" || at.imaps == "" {
		return errors.New("status names no endpoints for submission and imaps")
	}
	s.at.Store(at)
	return nil
}

// awaitLogin waits until the account can log in for reading and for sending.
func (s *service) awaitLogin(ctx context.Context, account harness.Account) error {
	for {
		err := s.login(ctx, account)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s cannot log in: %w", account.Address, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *service) login(ctx context.Context, account harness.Account) error {
	at := s.get()
	reader, err := harness.DialIMAP(ctx, at.imaps, at.tls, account)
	if err != nil {
		return err
	}
	reader.Close()
	sender, err := harness.DialSubmission(ctx, at.submission, at.tls, account)
	if err != nil {
		return err
	}
	return sender.Quit()
}
