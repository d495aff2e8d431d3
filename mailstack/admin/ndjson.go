package admin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gouv.tg/messagerie/mailstack/directory"
)

// readAccounts reads NDJSON strictly: one account a line, no unknown fields, at most max accounts.
func readAccounts(r io.Reader, max int, yield func(Account) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4<<10), maxLineBytes)
	line, count := 0, 0
	for sc.Scan() {
		line++
		b := bytes.TrimSpace(sc.Bytes())
		if len(b) == 0 {
			continue
		}
		if count++; count > max {
			return fmt.Errorf("%w: more than %d accounts", ErrInvalid, max)
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		var a Account
		if err := dec.Decode(&a); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrInvalid, line, err)
		}
		if dec.More() {
			return fmt.Errorf("%w: line %d: more than one object", ErrInvalid, line)
		}
		if err := yield(a); err != nil {
			return err
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%w: line %d is longer than %d bytes", ErrInvalid, line+1, maxLineBytes)
	} else if err != nil {
		return fmt.Errorf("cannot read accounts: %w", err)
	}
	return nil
}

// parseAccounts reads and checks the whole body of a PUT. The result is sorted by address.
func parseAccounts(r io.Reader) ([]Account, error) {
	var out []Account
	err := readAccounts(r, MaxAccounts, func(a Account) error {
		if err := checkAccount(a); err != nil {
			return fmt.Errorf("%w: account %d: %w", ErrInvalid, len(out)+1, err)
		}
		out = append(out, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	sortAccounts(out)
	for i := 1; i < len(out); i++ {
		if out[i].Address == out[i-1].Address {
			return nil, fmt.Errorf("%w: address %q twice", ErrInvalid, out[i].Address)
		}
	}
	return out, nil
}

func checkAccount(a Account) error {
	address, err := directory.NormalizeAddress(a.Address)
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if address != a.Address {
		return fmt.Errorf("address: found %q; accepted is %q", a.Address, address)
	}
	if a.QuotaBytes < 0 {
		return fmt.Errorf("quotaBytes: found %d; accepted are 0 and more", a.QuotaBytes)
	}
	if a.UsedBytes != 0 || a.Messages != 0 || a.Disabled {
		return errors.New("usedBytes, messages and disabled are read-only")
	}
	if a.Password != "" {
		if err := directory.CheckHash(a.Password); err != nil {
			return fmt.Errorf("password: %w", err)
		}
	}
	return nil
}

// writeAccounts writes one account a line.
func writeAccounts(w io.Writer, each func(func(Account) error) error) error {
	bw := bufio.NewWriterSize(w, 16<<10)
	enc := json.NewEncoder(bw)
	enc.SetEscapeHTML(false)
	if err := each(func(a Account) error { return enc.Encode(a) }); err != nil {
		return err
	}
	return bw.Flush()
}
