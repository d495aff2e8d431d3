// Package login asks the cell that owns an account whether an agent is its user, and gives nothing away when it is not.
package login

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"time"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/mailstack/gateway/cells"
	"gouv.tg/messagerie/mailstack/gateway/guard"
	"gouv.tg/messagerie/mailstack/gateway/route"
	"gouv.tg/messagerie/mailstack/link"
	"gouv.tg/messagerie/mailstack/sasl"
	"gouv.tg/messagerie/mailstack/telemetry"
)

// Step is the unit in which the time of a refusal is rounded up: a verdict that never reached a cell takes as long as one
// that a cell computed.
const Step = 400 * time.Millisecond

// Texts of refusals. There is one for all that is wrong about a user and a password.
const (
	textFailed      = "Authentication failed"
	textUnavailable = "Temporary authentication failure"
	textTooMany     = "Too many failed logins, try again later"
)

// Verdict is the outcome of a login.
type Verdict struct {
	link.AuthResponse
	Ministry string       // when OK
	Stream   *link.Stream // when Entered: the session's, for the caller to close
}

// Authenticator decides logins.
type Authenticator struct {
	Table    *route.Table
	Cells    *cells.Manager
	Failures *guard.Failures
	Log      *slog.Logger
	Count    *telemetry.Counter // labels: protocol and verdict
	Step     time.Duration      // normally the constant of that name
}

// Request is what a client's first message of a mechanism asks for; req has the rest. sasl.ErrMalformed if it is none.
func Request(req link.AuthRequest, mechanism string, first []byte) (link.AuthRequest, error) {
	req.Mechanism = mechanism
	var err error
	if mechanism == sasl.Plain {
		req.User, req.Password, err = sasl.ParsePlain(first)
	} else {
		req.Initial = first
		req.User, err = sasl.User(mechanism, first)
	}
	return req, err
}

// Login asks for a verdict. remote is the agent's address; req.RemoteAddr is filled in from it. ask has the agent answer
// challenges; when it fails so does the login, and who asks knows why.
func (a *Authenticator) Login(ctx context.Context, remote net.Addr, req link.AuthRequest, ask cells.Ask) Verdict {
	start := time.Now()
	count := func(verdict string) { a.Count.Inc(strings.ToLower(req.Service), verdict) }
	if a.Failures.Blocked(remote) {
		count("blocked")
		a.wait(ctx, start)
		return refuse(link.CodeUnavailable, textTooMany)
	}
	v := a.ask(ctx, remote, req, ask)
	switch {
	case v.OK:
		count("ok")
		return v
	case v.Code == link.CodeUnavailable:
		count("unavailable")
		return v
	}
	count("refused")
	a.Failures.Add(remote)
	a.Log.Info("login refused", "service", req.Service, "user", clip(req.User), "remote", remote.String(), "code", v.Code)
	a.wait(ctx, start)
	return v
}

func (a *Authenticator) ask(ctx context.Context, remote net.Addr, req link.AuthRequest, ask cells.Ask) Verdict {
	address, err := directory.NormalizeAddress(req.User)
	if err != nil {
		return refuse(link.CodeAuthenticationFailed, textFailed)
	}
	if req.Mechanism == sasl.Plain && (req.Password == "" || len(req.Password) > directory.MaxPassword) {
		return refuse(link.CodeAuthenticationFailed, textFailed)
	}
	owner := a.Table.Lookup(address)
	switch owner.Verdict {
	case route.Found:
	case route.Unsettled, route.Contested:
		return refuse(link.CodeUnavailable, textUnavailable)
	default:
		known := false
		if req.Mechanism != sasl.Plain {
			owner.Ministry, known = a.Cells.StandIn(req.Mechanism, address)
		}
		if !known {
			return refuse(link.CodeAuthenticationFailed, textFailed)
		}
	}
	req.User, req.RemoteAddr = address, remote.String()
	var cancelled error
	resp, st, err := a.Cells.Auth(ctx, owner.Ministry, req, func(challenge []byte) (response []byte, err error) {
		response, cancelled = ask(challenge)
		return response, cancelled
	})
	if st != nil && (cancelled != nil || !resp.OK) {
		st.Close()
	}
	if cancelled != nil {
		return refuse(link.CodeAuthenticationFailed, textFailed)
	}
	if err != nil {
		a.Log.Warn("no verdict on a login", "ministry", owner.Ministry, "error", err)
		return refuse(link.CodeUnavailable, textUnavailable)
	}
	if resp.OK {
		if resp.Account == "" {
			resp.Account = address
		}
		return Verdict{resp, owner.Ministry, st}
	}
	switch resp.Code {
	case link.CodeUnavailable:
		return refuse(link.CodeUnavailable, textUnavailable)
	case link.CodePrivacyRequired, link.CodeContactAdmin:
		return refuse(resp.Code, resp.Text)
	}
	return refuse(link.CodeAuthenticationFailed, textFailed)
}

func refuse(code, text string) Verdict {
	return Verdict{AuthResponse: link.AuthResponse{Code: code, Text: text}}
}

// wait returns at the next whole step after start.
func (a *Authenticator) wait(ctx context.Context, start time.Time) {
	t := time.NewTimer(rest(time.Since(start), a.Step))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// rest is what is missing to the next whole step.
func rest(elapsed, step time.Duration) time.Duration { return step - elapsed%step }

func clip(s string) string {
	const limit = 100
	if len(s) > limit {
		return s[:limit]
	}
	return s
}
