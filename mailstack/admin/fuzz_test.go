package admin

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func FuzzParseAccounts(f *testing.F) {
	f.Add(`{"address":"a@gouv.tg","name":"A"}` + "\n" + `{"address":"b@gouv.tg","quotaBytes":5}`)
	f.Add(`{"address":"a@gouv.tg"}` + "\n\n" + `{"address":"a@gouv.tg"}`)
	f.Fuzz(func(t *testing.T, in string) {
		accounts, err := parseAccounts(strings.NewReader(in))
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v is not the caller's mistake", err)
			}
			return
		}
		var b bytes.Buffer
		if err := writeAccounts(&b, func(yield func(Account) error) error {
			for _, a := range accounts {
				if err := yield(a); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		again, err := parseAccounts(&b)
		if err != nil || HashOf(again) != HashOf(accounts) {
			t.Fatalf("%+v became %+v: %v", accounts, again, err)
		}
	})
}
