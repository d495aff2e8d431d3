package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestMetadata(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	ids := makeAccounts(t, s, 2, 0)
	inbox := mailbox(t, s, ids[0], "INBOX")
	set := func(account AccountID, mailbox MailboxID, pairs ...string) {
		t.Helper()
		var entries []MetadataEntry
		for i := 0; i < len(pairs); i += 2 {
			e := MetadataEntry{Name: pairs[i]}
			if pairs[i+1] != "NIL" {
				e.Value = []byte(pairs[i+1])
			}
			entries = append(entries, e)
		}
		if err := s.SetMetadata(ctx, account, mailbox, entries, nil); err != nil {
			t.Fatal(err)
		}
	}
	set(ids[0], inbox.ID, "/private/comment", "mine", "/Shared/Comment", "ours", "/private/a", "1", "/private/a/b", "2", "/private/a/b/c", "3", "/private/ab", "4")
	set(ids[1], inbox.ID, "/private/comment", "his")
	set(ids[0], 0, "/shared/admin", "admin@x.test", "/private/empty", "", "/shared/binary", "\x00\xff\r\n")
	set(ids[0], inbox.ID, "/private/a/b/c", "33", "/private/ab", "NIL", "/private/never", "NIL")
	tests := []struct {
		name    string
		account AccountID
		mailbox MailboxID
		names   string
		depth   int
		want    string
	}{
		{"one", ids[0], inbox.ID, "/private/comment", DepthZero, "/private/comment=mine"},
		{"any case", ids[0], inbox.ID, "/PRIVATE/Comment /shared/COMMENT", DepthZero, "/private/comment=mine /shared/comment=ours"},
		{"of another", ids[1], inbox.ID, "/private/comment /shared/comment", DepthZero, "/private/comment=his /shared/comment=ours"},
		{"depth 0", ids[0], inbox.ID, "/private/a", DepthZero, "/private/a=1"},
		{"depth 1", ids[0], inbox.ID, "/private/a", DepthOne, "/private/a=1 /private/a/b=2"},
		{"all below", ids[0], inbox.ID, "/private/a", DepthInfinity, "/private/a=1 /private/a/b=2 /private/a/b/c=33"},
		{"everything", ids[0], inbox.ID, "/private /shared", DepthInfinity, "/private/a=1 /private/a/b=2 /private/a/b/c=33 /private/comment=mine /shared/comment=ours"},
		{"nothing", ids[0], inbox.ID, "/private/ab /private/comm /shared/x", DepthInfinity, ""},
		{"server", ids[1], 0, "/shared /private", DepthInfinity, "/shared/admin=admin@x.test /shared/binary=\x00\xff\r\n"},
		{"empty value", ids[0], 0, "/private/empty", DepthZero, "/private/empty="},
	}
	for _, tt := range tests {
		list, err := s.Metadata(ctx, tt.account, tt.mailbox, strings.Fields(tt.names), tt.depth)
		var got []string
		for _, e := range list {
			if e.Value == nil {
				t.Errorf("%s: %s is nil", tt.name, e.Name)
			}
			got = append(got, e.Name+"="+string(e.Value))
		}
		if g := strings.Join(got, " "); err != nil || g != tt.want {
			t.Errorf("%s: %q, expected %q, %v", tt.name, g, tt.want, err)
		}
	}
}

func TestMetadataRefuses(t *testing.T) {
	ctx := context.Background()
	s := openTest(t, Options{})
	a := makeAccounts(t, s, 1, 0)[0]
	inbox := mailbox(t, s, a, "INBOX")
	one := []byte("1")
	for _, name := range []string{"", "/", "/private", "/private/", "/shared", "/other/x", "private/x", "/private/a//b", "/private/a/", "/private/a*", "/private/%",
		"/private/é", "/private/a\x01", "/privatex/a", "/private/" + strings.Repeat("x", maxMetadataName)} {
		if err := s.SetMetadata(ctx, a, inbox.ID, []MetadataEntry{{"/private/good", one}, {name, one}}, nil); !errors.Is(err, ErrMetadataName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "/", "/privat", "/other/x", "private"} {
		if _, err := s.Metadata(ctx, a, inbox.ID, []string{name}, 0); !errors.Is(err, ErrMetadataName) {
			t.Errorf("read %q: %v", name, err)
		}
	}
	if err := s.SetMetadata(ctx, a, inbox.ID, []MetadataEntry{{"/private/x", make([]byte, MaxMetadataBytes+1)}}, nil); !errors.Is(err, ErrMetadataTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if err := s.SetMetadata(ctx, 99, inbox.ID, []MetadataEntry{{"/private/x", one}}, nil); !errors.Is(err, ErrNoAccount) {
		t.Errorf("no account: %v", err)
	}
	if err := s.SetMetadata(ctx, a, 99, []MetadataEntry{{"/private/x", one}}, nil); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("no mailbox: %v", err)
	}
	if _, err := s.Metadata(ctx, a, 99, []string{"/private"}, 0); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("read of no mailbox: %v", err)
	}
	var many []MetadataEntry
	for i := range maxMetadata {
		many = append(many, MetadataEntry{fmt.Sprintf("/shared/e%d", i), bytes.Repeat(one, 100)})
	}
	if err := s.SetMetadata(ctx, a, inbox.ID, append(many, MetadataEntry{"/shared/more", one}), nil); !errors.Is(err, ErrMetadataTooMany) {
		t.Errorf("too many: %v", err)
	}
	if list, err := s.Metadata(ctx, a, inbox.ID, []string{"/shared", "/private"}, DepthInfinity); err != nil || len(list) != 0 {
		t.Errorf("%d are there after refusals, %v", len(list), err)
	}
	if err := s.SetMetadata(ctx, a, inbox.ID, many, nil); err != nil {
		t.Errorf("just enough: %v", err)
	}
	large := []MetadataEntry{{"/private/a", make([]byte, MaxMetadataBytes)}, {"/private/b", make([]byte, MaxMetadataBytes)}, {"/private/c", one}}
	if err := s.SetMetadata(ctx, a, inbox.ID, large, nil); !errors.Is(err, ErrMetadataTooMany) {
		t.Errorf("too much together: %v", err)
	}
	// Others do not count.
	for _, e := range []MetadataEntry{{"/private/more", one}, {"/shared/e1", []byte("other")}} {
		if err := s.SetMetadata(ctx, a, inbox.ID, []MetadataEntry{e}, nil); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
	// One in the place of another.
	if err := s.SetMetadata(ctx, a, inbox.ID, []MetadataEntry{{"/shared/more", one}, {"/shared/e2", nil}}, nil); err != nil {
		t.Errorf("in exchange: %v", err)
	}
}
