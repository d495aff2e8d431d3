package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/operator/naming"
)

// Book keeps, for every ministry, what its sources hold: the addresses in the index, and the digest of the set, but
// not the set itself. It reads a source again only when the source changed. It is safe for concurrent use.
type Book struct {
	metadata client.Reader // a cache with the metadata of the sources
	content  client.Reader // the API server
	index    *Index

	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	mu       sync.Mutex
	key      string // what the fields below were made from
	declared int
	problem  error
	setKey   string // what hash was made from
	hash     string
}

// NewBook makes an empty book. It fills itself from the sources, so that nothing is lost when the operator restarts.
func NewBook(metadata, content client.Reader) *Book {
	return &Book{metadata: metadata, content: content, index: NewIndex(), entries: map[string]*entry{}}
}

// Query is what a set of accounts is made for.
type Query struct {
	Ministry   *v1alpha1.Ministry
	Older      []*v1alpha1.Ministry // every ministry that came before, which keeps the addresses it holds
	Shared     string               // the shared domain
	QuotaBytes int64                // of one mailbox
	Probe      admin.Account        // added to the set, not counted
}

// Set is what the cell of a ministry is to hold.
type Set struct {
	Declared int // accounts in the sources
	Clashes  []Clash
	Hash     string // admin.HashOf the accounts
	Touched  []string
	load     func(context.Context) ([]admin.Account, error)
}

// Accounts reads the set itself.
func (s Set) Accounts(ctx context.Context) ([]admin.Account, error) { return s.load(ctx) }

// Prepare finds out what the cell of a ministry is to hold. Mistakes in the sources are a *Problem; then the cell keeps
// what it has. Touched ministries must be reconciled because their clashes may have changed, also after an error.
func (b *Book) Prepare(ctx context.Context, q Query) (Set, error) {
	var set Set
	for _, older := range q.Older {
		_, touched, err := b.claims(ctx, older, q.Shared)
		set.Touched = append(set.Touched, touched...)
		// What is wrong with another ministry's sources is reported there.
		if _, ok := AsProblem(err); err != nil && !ok {
			return set, err
		}
	}
	rows, touched, err := b.claims(ctx, q.Ministry, q.Shared)
	set.Touched = append(set.Touched, touched...)
	if err != nil {
		return set, err
	}
	e := b.entry(q.Ministry.Name)
	e.mu.Lock()
	defer e.mu.Unlock()
	set.Declared = e.declared
	set.Clashes = b.index.Clashes(q.Ministry.Name)
	if err := checkTotal(q, set.Declared-len(set.Clashes)); err != nil {
		return set, err
	}
	set.load = func(ctx context.Context) ([]admin.Account, error) {
		rows, err := Load(ctx, b.content, q.Ministry, q.Shared)
		return build(rows, q, set.Clashes), err
	}
	setKey := digest(e.key, set.Clashes, q.QuotaBytes, q.Probe)
	if setKey != e.setKey {
		if rows == nil && set.Declared > 0 {
			if rows, err = Load(ctx, b.content, q.Ministry, q.Shared); err != nil {
				return set, err
			}
		}
		built := build(rows, q, set.Clashes)
		e.hash, e.setKey = admin.HashOf(built), setKey
		set.load = func(context.Context) ([]admin.Account, error) { return built, nil }
	}
	set.Hash = e.hash
	return set, nil
}

// Forget removes a ministry and returns the others whose clashes may have changed.
func (b *Book) Forget(ministry string) (touched []string) {
	b.mu.Lock()
	delete(b.entries, ministry)
	b.mu.Unlock()
	return b.index.Release(ministry)
}

func (b *Book) entry(ministry string) *entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.entries[ministry]
	if !ok {
		e = &entry{}
		b.entries[ministry] = e
	}
	return e
}

// claims brings a ministry's entry and its claims in the index up to date. rows are nil when nothing had to be read.
func (b *Book) claims(ctx context.Context, m *v1alpha1.Ministry, shared string) (rows []directory.Account, touched []string, err error) {
	key, err := b.fingerprint(ctx, m, shared)
	if err != nil {
		return nil, nil, err
	}
	e := b.entry(m.Name)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.key == key {
		return nil, nil, e.problem
	}
	rows, err = Load(ctx, b.content, m, shared)
	if err != nil {
		if _, ok := AsProblem(err); !ok {
			return nil, nil, err // the API server's fault: try again
		}
		// The claims of the last good set stay, as the accounts in the cell do.
		e.key, e.problem, e.setKey = key, err, ""
		return nil, nil, err
	}
	addresses := make([]string, 0, len(rows))
	for _, row := range rows {
		if directory.DomainOf(row.Address) == shared {
			addresses = append(addresses, row.Address)
		}
	}
	e.key, e.problem, e.setKey, e.declared = key, nil, "", len(rows)
	touched = b.index.Claim(Owner{m.Name, m.CreationTimestamp.Time}, addresses)
	return rows, touched, nil
}

// fingerprint changes whenever reading the sources may give something else.
func (b *Book) fingerprint(ctx context.Context, m *v1alpha1.Ministry, shared string) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %d %s", m.UID, m.Generation, shared)
	for _, source := range m.Spec.Accounts.Sources {
		meta := &metav1.PartialObjectMetadata{}
		meta.APIVersion, meta.Kind = "v1", string(source.Kind)
		err := b.metadata.Get(ctx, client.ObjectKey{Namespace: naming.SystemNamespace, Name: source.Name}, meta)
		if err != nil && !apierrors.IsNotFound(err) {
			return "", fmt.Errorf("cannot look up %s %s: %w", source.Kind, source.Name, err)
		}
		fmt.Fprintf(&text, " %s/%s:%s:%s", source.Kind, source.Name, meta.UID, meta.ResourceVersion)
	}
	return text.String(), nil
}

func checkTotal(q Query, count int) error {
	total := q.Ministry.Spec.Quotas.Total
	if total == nil || q.QuotaBytes == 0 || int64(count) <= total.Value()/q.QuotaBytes {
		return nil
	}
	return &Problem{v1alpha1.ReasonQuotaExceeded, fmt.Sprintf(
		"spec.quotas.total: found %d accounts of %d bytes each; accepted with a total of %s are %d",
		count, q.QuotaBytes, total, total.Value()/q.QuotaBytes)}
}

func build(rows []directory.Account, q Query, clashes []Clash) []admin.Account {
	leftOut := make(map[string]struct{}, len(clashes))
	for _, c := range clashes {
		leftOut[c.Address] = struct{}{}
	}
	out := make([]admin.Account, 0, len(rows)+1)
	taken := false
	for _, row := range rows {
		if _, skip := leftOut[row.Address]; skip {
			continue
		}
		taken = taken || row.Address == q.Probe.Address
		out = append(out, admin.Account{
			Address: row.Address, Name: row.Name, Entity: row.Entity, Service: row.Service,
			Password: row.Password, QuotaBytes: q.QuotaBytes,
		})
	}
	if !taken {
		out = append(out, q.Probe)
	}
	return out
}

func digest(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings and integers always encode
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
