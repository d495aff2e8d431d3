package accounts

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/operator/naming"
)

// noise is as large as a hash with its salt, and as hard to compress.
func noise(random *rand.Rand) []byte {
	out := make([]byte, 80)
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return out
}

func TestSecrets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var rows []directory.Account
	for i := range 12_000 {
		rows = append(rows, directory.Account{
			Address: fmt.Sprintf("agent%d@gouv.tg", i), Name: fmt.Sprint("Agent ", i*7919%12007),
			Password: "{SSHA512}" + base64.StdEncoding.EncodeToString(noise(random)),
		})
	}
	secrets, err := Secrets("education", rows)
	if err != nil {
		t.Fatal(err)
	}
	var back []directory.Account
	for i, s := range secrets {
		if len(s.Data[chunkKey]) > 700<<10 {
			t.Errorf("%s has %d bytes", s.Name, len(s.Data[chunkKey]))
		}
		if !strings.HasPrefix(s.Name, "education-accounts-") || !strings.HasSuffix(s.Name, fmt.Sprintf("-%04d", i+1)) || !*s.Immutable {
			t.Errorf("secret = %s", s.Name)
		}
		r, err := file{data: s.Data[chunkKey], gzip: true}.open()
		if err != nil {
			t.Fatal(err)
		}
		part, err := directory.ParseCSV(r)
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, part...)
	}
	if fmt.Sprint(back) != fmt.Sprint(rows) {
		t.Errorf("%d rows come back as %d, or changed", len(rows), len(back))
	}
	other, err := Secrets("education", rows[:1])
	if err != nil || other[0].Name == secrets[0].Name {
		t.Errorf("another set has the same name %s, %v", other[0].Name, err)
	}
	if empty, err := Secrets("education", nil); err != nil || len(empty) != 1 {
		t.Errorf("no accounts: %d secrets, %v", len(empty), err)
	}
	if _, err := Secrets("education", []directory.Account{{Address: "a@gouv.tg", Password: "clear"}}); err == nil || strings.Contains(err.Error(), "clear") {
		t.Errorf("a password in clear: %v", err)
	}
}

func TestImport(t *testing.T) {
	p := &v1alpha1.Platform{}
	p.Name, p.Spec.Domain = v1alpha1.PlatformName, "gouv.tg"
	c := newSources(t, p, ministry("finances", 1))
	load := func(csv string) (int, []corev1.Secret, error) {
		n, err := Import(t.Context(), c, "finances", strings.NewReader(csv))
		var list corev1.SecretList
		if err := c.List(t.Context(), &list, client.InNamespace(naming.SystemNamespace)); err != nil {
			t.Fatal(err)
		}
		return n, list.Items, err
	}
	n, first, err := load(header + "a@gouv.tg,A,,,correct horse\nb@finances.gouv.tg,B,,,\n")
	if err != nil || n != 2 || len(first) != 1 {
		t.Fatalf("%d accounts in %d secrets, %v", n, len(first), err)
	}
	rows, err := file{data: first[0].Data[chunkKey], gzip: true}.parse(rules())
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := directory.Verify(rows[0].Password, "correct horse"); !ok || err != nil {
		t.Errorf("the password does not open the account: %v", err)
	}
	_, second, err := load(header + "c@gouv.tg,C,,,\n")
	if err != nil || len(second) != 1 || second[0].Name == first[0].Name {
		t.Errorf("secrets = %d, %v", len(second), err)
	}
	var now v1alpha1.Ministry
	if err := c.Get(t.Context(), client.ObjectKey{Name: "finances"}, &now); err != nil {
		t.Fatal(err)
	}
	if s := now.Spec.Accounts.Sources; len(s) != 1 || s[0].Name != second[0].Name {
		t.Errorf("sources = %v", s)
	}
	for _, bad := range []string{"", header + "a@elsewhere.tg,A,,,\n"} {
		if _, kept, err := load(bad); err == nil || len(kept) != 1 || kept[0].Name != second[0].Name {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := Import(t.Context(), c, "nobody", strings.NewReader(header)); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("error = %v", err)
	}
}
