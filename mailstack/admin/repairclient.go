package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Check yields what does not fit together in the cell's store, or in one account.
func (c *Client) Check(ctx context.Context, address string, yield func(Problem) error) error {
	return c.do(ctx, http.MethodGet, "/v1/problems?"+url.Values{"address": {address}}.Encode(), nil, "",
		func(r io.Reader) error { return ReadLines(r, yield) })
}

// Repair mends what can be mended and yields what there was.
func (c *Client) Repair(ctx context.Context, request RepairRequest, yield func(Mended) error) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("cannot encode the request: %w", err)
	}
	return c.do(ctx, http.MethodPost, "/v1/repair", bytes.NewReader(body), "", func(r io.Reader) error { return ReadLines(r, yield) })
}

// Compact gets back the room of messages that nothing refers to.
func (c *Client) Compact(ctx context.Context) (result Compaction, err error) {
	n := 0
	err = c.do(ctx, http.MethodPost, "/v1/compact", nil, "", func(r io.Reader) error {
		return ReadLines(r, func(line Compaction) error { result = line; n++; return nil })
	})
	if err == nil && n != 1 {
		err = errors.New("cannot decode answer: it is empty")
	}
	return result, err
}
