package accounts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/admin"
	"gouv.tg/messagerie/operator/naming"
)

// sources is an API server whose reads can be made to fail, and are counted.
type sources struct {
	client.WithWatch
	reads int
	fault error
}

func newSources(t *testing.T, objects ...client.Object) *sources {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	s := &sources{}
	s.WithWatch = interceptor.NewClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(*metav1.PartialObjectMetadata); !ok {
				s.reads++
				if s.fault != nil {
					return s.fault
				}
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
	return s
}

func source(name string, rows ...string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: naming.SystemNamespace, Name: name},
		Data:       map[string]string{"a.csv": "address,name,entity,service\n" + strings.Join(rows, "\n"), "README": "no accounts"},
	}
}

func ministry(name string, age int, sources ...string) *v1alpha1.Ministry {
	m := &v1alpha1.Ministry{ObjectMeta: metav1.ObjectMeta{
		Name: name, Generation: 1, CreationTimestamp: metav1.NewTime(time.Unix(1_700_000_000-int64(age), 0)),
	}}
	m.Spec.Domains = []v1alpha1.DomainName{v1alpha1.DomainName(name + ".gouv.tg")}
	for _, s := range sources {
		m.Spec.Accounts.Sources = append(m.Spec.Accounts.Sources, v1alpha1.AccountSource{Kind: v1alpha1.SourceConfigMap, Name: s})
	}
	return m
}

func query(m *v1alpha1.Ministry, older ...*v1alpha1.Ministry) Query {
	return Query{Ministry: m, Older: older, Shared: "gouv.tg", QuotaBytes: 1 << 20, Probe: admin.Account{Address: "probe@" + m.Name + ".gouv.tg"}}
}

func addresses(t *testing.T, s Set) []string {
	t.Helper()
	all, err := s.Accounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := admin.HashOf(all); got != s.Hash {
		t.Errorf("hash = %s, want %s", s.Hash, got)
	}
	var out []string
	for _, a := range all {
		out = append(out, a.Address)
	}
	slices.Sort(out)
	return out
}

func TestBookReadsOnce(t *testing.T) {
	c := newSources(t, source("s", "a@gouv.tg,A,,"))
	b, m := NewBook(c, c), ministry("a", 1, "s")
	first, err := b.Prepare(t.Context(), query(m))
	if err != nil {
		t.Fatal(err)
	}
	if got := addresses(t, first); !slices.Equal(got, []string{"a@gouv.tg", "probe@a.gouv.tg"}) || first.Declared != 1 {
		t.Errorf("set = %v", got)
	}
	if c.reads != 1 {
		t.Errorf("%d reads, want 1", c.reads)
	}
	again, err := b.Prepare(t.Context(), query(m))
	if err != nil || again.Hash != first.Hash || c.reads != 1 {
		t.Errorf("%d reads, %v", c.reads, err)
	}
	var changed corev1.ConfigMap
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(source("s")), &changed); err != nil {
		t.Fatal(err)
	}
	changed.Data = source("s", "b@gouv.tg,B,,").Data
	if err := c.Update(t.Context(), &changed); err != nil {
		t.Fatal(err)
	}
	third, err := b.Prepare(t.Context(), query(m))
	if err != nil || third.Hash == first.Hash {
		t.Errorf("the change was not seen: %v", err)
	}
}

func TestBookClash(t *testing.T) {
	c := newSources(t, source("s1", "x@gouv.tg,X,,"), source("s2", "x@gouv.tg,X,,", "y@gouv.tg,Y,,"))
	old, young := ministry("old", 2, "s1"), ministry("young", 1, "s2")
	b := NewBook(c, c)
	// The younger one comes first after a restart, and knows all the same.
	set, err := b.Prepare(t.Context(), query(young, old))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(set.Clashes, []Clash{{"x@gouv.tg", "old"}}) {
		t.Errorf("clashes = %v", set.Clashes)
	}
	if got := addresses(t, set); !slices.Equal(got, []string{"probe@young.gouv.tg", "y@gouv.tg"}) {
		t.Errorf("set = %v", got)
	}
	if touched := b.Forget("old"); !slices.Equal(touched, []string{"young"}) {
		t.Errorf("touched = %v", touched)
	}
	if set, err = b.Prepare(t.Context(), query(young)); err != nil || len(set.Clashes) != 0 || len(addresses(t, set)) != 3 {
		t.Errorf("set = %+v, %v", set, err)
	}
}

func TestBookFaults(t *testing.T) {
	c := newSources(t, source("s", "x@gouv.tg,X,,"), source("large", "z@gouv.tg,Z,,"))
	b, m := NewBook(c, c), ministry("a", 1, "s")
	c.fault = errors.New("no connection")
	if _, err := b.Prepare(t.Context(), query(m)); !errors.Is(err, c.fault) {
		t.Errorf("error = %v", err)
	}
	c.fault = nil
	if _, err := b.Prepare(t.Context(), query(m)); err != nil {
		t.Errorf("the fault stays: %v", err)
	}
	for name, reason := range map[string]string{"missing": v1alpha1.ReasonSourceMissing, "large": v1alpha1.ReasonQuotaExceeded} {
		q := query(ministry("b", 1, name))
		q.Ministry.Spec.Quotas.Total = ptr.To(resource.MustParse("512Ki"))
		_, err := b.Prepare(t.Context(), q)
		if p, ok := AsProblem(err); !ok || p.Reason != reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A file that is broken keeps what it claimed.
	young := ministry("young", 0, "s")
	broken := ministry("a", 1, "missing")
	broken.Generation = 2
	set, err := b.Prepare(t.Context(), query(young, broken))
	if err != nil || !slices.Equal(set.Clashes, []Clash{{"x@gouv.tg", "a"}}) {
		t.Errorf("clashes = %v, %v", set.Clashes, err)
	}
}
