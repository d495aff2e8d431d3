package admin

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client talks to one cell.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client of a base URL such as https://127.2.0.3:7001. config comes from link.ClientConfig.
func NewClient(baseURL string, config *tls.Config) *Client {
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	return &Client{strings.TrimSuffix(baseURL, "/"), &http.Client{Transport: &http.Transport{
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   10 * time.Second,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		ResponseHeaderTimeout: 5 * time.Minute,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConns:          1,
	}}}
}

// NewUnixClient makes a client of a cell's unix socket.
func NewUnixClient(path string) *Client {
	return &Client{"http://cell", &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
		},
		ResponseHeaderTimeout: 5 * time.Minute,
	}}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// PutAccounts replaces the cell's whole set of accounts.
func (c *Client) PutAccounts(ctx context.Context, accounts []Account) (Result, error) {
	var body bytes.Buffer
	err := writeAccounts(&body, func(yield func(Account) error) error {
		for _, a := range accounts {
			a.UsedBytes, a.Messages, a.Disabled = 0, 0, false
			if err := yield(a); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Result{}, fmt.Errorf("cannot encode accounts: %w", err)
	}
	var res Result
	err = c.do(ctx, http.MethodPut, "/v1/accounts", &body, HashOf(accounts), func(r io.Reader) error { return decode(r, &res) })
	return res, err
}

// Status reads the cell's state.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var st Status
	err := c.do(ctx, http.MethodGet, "/v1/status", nil, "", func(r io.Reader) error { return decode(r, &st) })
	return st, err
}

// SetPassword sets the hash of one account's password and the SCRAM verifier of the same password, empty for none; ErrNoAccount when
// the cell does not hold the address.
func (c *Client) SetPassword(ctx context.Context, address, hash, scram string) error {
	body := strings.NewReader(hash + "\n" + scram)
	return c.do(ctx, http.MethodPut, "/v1/accounts/"+url.PathEscape(address)+"/password", body, "", nil)
}

// Accounts yields every account, without password.
func (c *Client) Accounts(ctx context.Context, yield func(Account) error) error {
	return c.do(ctx, http.MethodGet, "/v1/accounts", nil, "", func(r io.Reader) error {
		return readAccounts(r, 10*MaxAccounts, yield) // disabled accounts stay and count too
	})
}

func decode(r io.Reader, v any) error {
	if err := json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(v); err != nil {
		return fmt.Errorf("cannot decode answer: %w", err)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader, hash string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("cannot ask cell: %w", err)
	}
	if hash != "" {
		req.Header.Set(HashHeader, hash)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach cell: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return refusal(resp)
	}
	if read == nil {
		return nil
	}
	return read(resp.Body)
}

// refusal makes an error of a problem+json answer.
func refusal(resp *http.Response) error {
	var p problem
	json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&p)
	detail := p.Detail
	if detail == "" {
		detail = resp.Status
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%w (%s)", ErrNoAccount, detail)
	case http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		return fmt.Errorf("cell refuses: %w", invalid(detail))
	}
	return fmt.Errorf("cell fails: %s", detail)
}
