package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"gouv.tg/messagerie/mailstack/archive"
)

func accountPath(address, what string, query url.Values) string {
	path := "/v1/accounts/" + url.PathEscape(address) + what
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// Describe returns an account; ErrNoAccount when the cell does not hold the address.
func (c *Client) Describe(ctx context.Context, address string) (Description, error) {
	var d Description
	err := c.do(ctx, http.MethodGet, accountPath(address, "", nil), nil, "", func(r io.Reader) error { return decode(r, &d) })
	return d, err
}

// Export writes an account's mailboxes to w as a tar stream (package archive), or only one and those below it.
func (c *Client) Export(ctx context.Context, address, mailbox string, w io.Writer) error {
	return c.do(ctx, http.MethodGet, accountPath(address, "/archive", url.Values{"mailbox": {mailbox}}), nil, "", func(r io.Reader) error {
		if _, err := io.Copy(w, r); err != nil {
			return fmt.Errorf("export broke off: %w", err)
		}
		return nil
	})
}

// Import adds to an account what r has and the account has not, in batches, and yields the result of each. What r had before
// it failed is added too.
func (c *Client) Import(ctx context.Context, address string, r archive.Reader, yield func(ImportResult) error) error {
	for {
		batch, more := nextBatch(r)
		if batch != nil {
			var result ImportResult
			err := c.do(ctx, http.MethodPost, accountPath(address, "/archive", nil), batch, "", func(r io.Reader) error {
				return json.NewDecoder(io.LimitReader(r, maxAnswer)).Decode(&result)
			})
			if err != nil {
				return err
			}
			if err := yield(result); err != nil {
				return err
			}
		}
		if errors.Is(more, io.EOF) {
			return nil
		}
		if more != nil {
			return more
		}
	}
}

// nextBatch is a tar stream of the next items, nil if there are none; and why there are no more.
func nextBatch(r archive.Reader) (*bytes.Buffer, error) {
	var b bytes.Buffer
	w := archive.NewTarWriter(&b)
	n := 0
	var more error
	for more == nil && n < batchMessages && b.Len() < batchBytes {
		var i archive.Item
		if i, more = r.Next(); more != nil {
			break
		}
		switch i.(type) {
		case *archive.Lost, *archive.Summary:
			continue
		}
		n++
		if err := w.Write(i); err != nil {
			return nil, err
		}
	}
	if n == 0 {
		return nil, more
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &b, more
}

// Digests yields the messages of a mailbox with UIDs greater than after.
func (c *Client) Digests(ctx context.Context, address, mailbox string, after uint32, yield func(Digest) error) error {
	query := url.Values{"mailbox": {mailbox}, "after": {fmt.Sprint(after)}}
	return c.do(ctx, http.MethodGet, accountPath(address, "/digests", query), nil, "", func(r io.Reader) error { return ReadLines(r, yield) })
}

// Vault yields the expunged messages of an account that can be recovered.
func (c *Client) Vault(ctx context.Context, address string, yield func(VaultEntry) error) error {
	return c.do(ctx, http.MethodGet, accountPath(address, "/vault", nil), nil, "", func(r io.Reader) error { return ReadLines(r, yield) })
}

// Restore puts messages from the vault back.
func (c *Client) Restore(ctx context.Context, address string, request RestoreRequest) (RestoreResult, error) {
	var result RestoreResult
	body, err := json.Marshal(request)
	if err != nil {
		return result, fmt.Errorf("cannot encode the request: %w", err)
	}
	err = c.do(ctx, http.MethodPost, accountPath(address, "/restore", nil), bytes.NewReader(body), "", func(r io.Reader) error {
		return json.NewDecoder(io.LimitReader(r, maxAnswer)).Decode(&result)
	})
	return result, err
}

// SetHold sets or ends an account's legal hold.
func (c *Client) SetHold(ctx context.Context, address string, on bool) error {
	text := map[bool]string{true: "on", false: "off"}[on]
	return c.do(ctx, http.MethodPut, accountPath(address, "/hold", nil), strings.NewReader(text), "", nil)
}

// ReadLines reads one JSON object a line.
func ReadLines[T any](r io.Reader, yield func(T) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4<<10), maxAnswer)
	for sc.Scan() {
		var v T
		if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
			return fmt.Errorf("cannot decode answer: %w", err)
		}
		if err := yield(v); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("cannot read answer: %w", err)
	}
	return nil
}
