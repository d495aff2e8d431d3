package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// sharedDomain is where agents have their addresses.
const sharedDomain = "gouv.tg"

// writeAccounts writes, for each institution, its accounts as CSV and as Secrets to apply, and for whoever hands them out
// one file with all passwords. It returns how many there are.
func writeAccounts(dir string, institutions []institution, seed uint64, passwordSeed string) (int, error) {
	for _, sub := range []string{"accounts", "csv"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return 0, fmt.Errorf("cannot make the folder: %w", err)
		}
	}
	crowd, derive := newPeople(seed), secrets{[]byte(passwordSeed)}
	passwords := [][]string{{"address", "password", "site"}}
	for _, i := range institutions {
		rows := make([][]string, 0, i.users)
		for n := range i.users {
			p := crowd.next(sharedDomain)
			entity, service := i.place(n)
			rows = append(rows, []string{p.address, p.name, entity, service, derive.hash(p.address)})
			passwords = append(passwords, []string{p.address, derive.password(p.address), i.building(n)})
		}
		if err := writeInstitution(dir, i, rows); err != nil {
			return 0, err
		}
	}
	text, err := encode(passwords)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, "passwords.csv"), text, 0o600); err != nil {
		return 0, fmt.Errorf("cannot write the passwords: %w", err)
	}
	return len(passwords) - 1, nil
}

// building is the number of the site at which an agent sits: one after the other fills up.
func (i institution) building(n int) string {
	for _, s := range i.sites {
		if n < s.users {
			return strconv.Itoa(s.number)
		}
		n -= s.users
	}
	return ""
}

// place spreads agents evenly over the services of the entities.
func (i institution) place(n int) (entity, service string) {
	total := 0
	for _, e := range i.entities {
		total += len(e.services)
	}
	if total == 0 {
		return "", ""
	}
	n %= total
	for _, e := range i.entities {
		if n < len(e.services) {
			return e.slug, e.services[n].slug
		}
		n -= len(e.services)
	}
	return "", ""
}

var accountsHeader = []string{"address", "name", "entity", "service", "password"}

func writeInstitution(dir string, i institution, rows [][]string) error {
	text, err := encode(append([][]string{accountsHeader}, rows...))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "csv", i.slug+".csv"), text, 0o600); err != nil {
		return fmt.Errorf("cannot write accounts: %w", err)
	}
	for n := range i.secrets() {
		part := rows[n*rowsPerSecret : min((n+1)*rowsPerSecret, len(rows))]
		if err := writeSecret(filepath.Join(dir, "accounts"), secretName(i.slug, n+1), part); err != nil {
			return err
		}
	}
	return nil
}

func writeSecret(dir, name string, rows [][]string) error {
	text, err := encode(append([][]string{accountsHeader}, rows...))
	if err != nil {
		return err
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if _, err := zip.Write(text); err != nil {
		return fmt.Errorf("cannot compress accounts: %w", err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("cannot compress accounts: %w", err)
	}
	manifest := fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata:
  name: %s
  namespace: messagerie-system
  labels:
    app.kubernetes.io/part-of: messagerie
type: Opaque
data:
  accounts.csv.gz: %s
`, name, base64.StdEncoding.EncodeToString(zipped.Bytes()))
	if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(manifest), 0o600); err != nil {
		return fmt.Errorf("cannot write accounts: %w", err)
	}
	return nil
}

func encode(rows [][]string) ([]byte, error) {
	var out bytes.Buffer
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		return nil, fmt.Errorf("cannot encode accounts: %w", err)
	}
	return out.Bytes(), nil
}
