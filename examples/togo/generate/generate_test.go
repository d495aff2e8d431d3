package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gouv.tg/messagerie/mailstack/directory"
)

const dataDir = "../data"

// TestCommitted checks that government.yaml is what the generator writes.
func TestCommitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "government.yaml")
	if err := run([]string{"-data", dataDir, "-government", path}, io.Discard); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../government.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("government.yaml is out of date: go run ./examples/togo/generate -government examples/togo/government.yaml")
	}
}

func TestAccounts(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		if err := run([]string{"-data", dataDir, "-accounts", dir, "-password-seed", "test"}, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]string{}
	sources, err := filepath.Glob(filepath.Join(first, "csv", "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		for _, a := range readAccounts(t, path) {
			if other, ok := seen[a.Address]; ok {
				t.Fatalf("%s is both in %s and in %s", a.Address, other, path)
			}
			seen[a.Address] = path
		}
	}
	if len(sources) != 31 || len(seen) != 70_000 {
		t.Errorf("%d institutions with %d accounts, want 31 with 70000", len(sources), len(seen))
	}
	for _, name := range []string{"passwords.csv", "csv/energie.csv", "accounts/education-accounts-0006.yaml"} {
		a, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(second, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs from run to run", name)
		}
		if strings.HasSuffix(name, ".yaml") && len(a) > 700<<10*4/3 {
			t.Errorf("%s has %d bytes: too large for a Secret", name, len(a))
		}
	}
}

// TestBuildings checks that the agents of an institution fill its buildings as the data says.
func TestBuildings(t *testing.T) {
	institutions, err := readInstitutions("../data")
	if err != nil {
		t.Fatal(err)
	}
	sites, seated := 0, 0
	for _, i := range institutions {
		found := map[string]int{}
		for n := range i.users {
			found[i.building(n)]++
		}
		for _, s := range i.sites {
			if n := found[strconv.Itoa(s.number)]; n != s.users {
				t.Errorf("%s: %d agents at site %d, want %d", i.slug, n, s.number, s.users)
			}
			sites++
			seated += s.users
		}
	}
	if sites != 548 || seated != 70_000 {
		t.Errorf("%d agents at %d sites", seated, sites)
	}
}

// TestPasswords checks that the password file opens the accounts.
func TestPasswords(t *testing.T) {
	derive := secrets{[]byte("test")}
	const address = "afi.mensah@gouv.tg"
	ok, rehash, err := directory.Verify(derive.hash(address), derive.password(address))
	if err != nil || !ok || !rehash {
		t.Errorf("Verify = %t, %t, %v; want true, true, nil", ok, rehash, err)
	}
}

func readAccounts(t *testing.T, path string) []directory.Account {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	accounts, err := directory.ParseCSV(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return accounts
}
