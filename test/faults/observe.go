package faults

import (
	"context"
	"fmt"
	"sync"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gouv.tg/messagerie/test/harness"
)

const inbox = "INBOX"

// observe reads the whole inbox of every account, a few at a time.
func (s *service) observe(ctx context.Context, accounts []harness.Account) ([]Observation, error) {
	observations := make([]Observation, len(accounts))
	err := each(accounts, func(i int, a harness.Account) (err error) {
		observations[i], err = s.read(ctx, a)
		return err
	})
	return observations, err
}

// each works on the accounts, four at a time, and returns the first error.
func each(accounts []harness.Account, work func(int, harness.Account) error) error {
	var running sync.WaitGroup
	tokens := make(chan struct{}, 4)
	failures := make([]error, len(accounts))
	for i, a := range accounts {
		tokens <- struct{}{}
		running.Go(func() {
			defer func() { <-tokens }()
			failures[i] = work(i, a)
		})
	}
	running.Wait()
	for i, err := range failures {
		if err != nil {
			return fmt.Errorf("%s: %w", accounts[i].Address, err)
		}
	}
	return nil
}

func (s *service) open(ctx context.Context, a harness.Account) (*imapclient.Client, *imap.SelectData, error) {
	at := s.get()
	client, err := harness.DialIMAP(ctx, at.imaps, at.tls, a)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot log in: %w", err)
	}
	selected, err := client.Select(inbox, nil).Wait()
	if err != nil {
		client.Close()
		return nil, nil, fmt.Errorf("cannot select: %w", err)
	}
	return client, selected, nil
}

func (s *service) read(ctx context.Context, a harness.Account) (Observation, error) {
	client, selected, err := s.open(ctx, a)
	if err != nil {
		return Observation{}, err
	}
	defer client.Close()
	o := Observation{Mailbox: a.Address, UIDValidity: selected.UIDValidity, UIDNext: uint32(selected.UIDNext)}
	if selected.NumMessages == 0 {
		return o, client.Logout().Wait()
	}
	body := &imap.FetchItemBodySection{Peek: true}
	fetch := client.Fetch(imap.SeqSet{{Start: 1, Stop: selected.NumMessages}}, &imap.FetchOptions{
		UID: true, RFC822Size: true, BodySection: []*imap.FetchItemBodySection{body},
	})
	for data := fetch.Next(); data != nil; data = fetch.Next() {
		m, err := data.Collect()
		if err != nil {
			return o, fmt.Errorf("cannot fetch: %w", err)
		}
		o.Messages = append(o.Messages, inspect(uint32(m.UID), m.RFC822Size, m.FindBodySection(body)))
	}
	if err := fetch.Close(); err != nil {
		return o, fmt.Errorf("cannot fetch: %w", err)
	}
	return o, client.Logout().Wait()
}

// expunge removes messages of an inbox for good.
func (s *service) expunge(ctx context.Context, a harness.Account, uids []uint32) error {
	client, _, err := s.open(ctx, a)
	if err != nil {
		return err
	}
	defer client.Close()
	var set imap.UIDSet
	for _, uid := range uids {
		set.AddNum(imap.UID(uid))
	}
	deleted := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := client.Store(set, deleted, nil).Close(); err != nil {
		return fmt.Errorf("cannot mark as deleted: %w", err)
	}
	if err := client.UIDExpunge(set).Close(); err != nil {
		return fmt.Errorf("cannot expunge: %w", err)
	}
	return client.Logout().Wait()
}
