package pull

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"gouv.tg/messagerie/mailstack/admin"
)

// errLogin means that the source does not let the user in.
var errLogin = errors.New("the source refuses the login")

// finalError is one that trying again does not cure.
type finalError struct{ error }

func final(format string, args ...any) error { return finalError{fmt.Errorf(format, args...)} }

// passing tells whether what the source refuses it may do later (RFC 5530).
func passing(e *imap.Error) bool {
	return e.Type == imap.StatusResponseTypeBye || slices.Contains([]imap.ResponseCode{
		imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeServerBug, imap.ResponseCodeLimit,
	}, e.Code)
}

// curable tells whether trying again may help.
func curable(err error) bool {
	var f finalError
	var refusal *imap.Error
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &f), errors.As(err, &untrusted), errors.Is(err, errLogin), errors.Is(err, ErrFlood),
		errors.Is(err, admin.ErrInvalid), errors.Is(err, admin.ErrNoAccount), errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &refusal):
		return passing(refusal)
	}
	return true
}

// retry runs f until it succeeds, fails for good, or has failed so many times in a row. f calls moved when it got on.
func retry(ctx context.Context, pause time.Duration, times int, f func(moved func()) error) error {
	failures := 0
	for {
		err := f(func() { failures = 0 })
		if err == nil || ctx.Err() != nil || !curable(err) {
			return err
		}
		if failures++; failures >= times {
			return fmt.Errorf("%w (tried %d times)", err, failures)
		}
		timer := time.NewTimer(min(pause<<(failures-1), longestPause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
