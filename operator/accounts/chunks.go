package accounts

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"hash"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/operator/naming"
)

const (
	// chunkBytes is when a Secret is full: the API server takes 1 MiB of data, etcd 1.5 MiB of request.
	chunkBytes = 600 << 10
	// flushRows is how often the size is looked at. A row has at most five fields of 1 KiB.
	flushRows = 16
	chunkKey  = "accounts.csv.gz"
)

// Secrets writes accounts into as many Secrets as they need, in order. Their names come from their content, so that a new
// set never overwrites the one in use; they cannot be changed afterwards.
func Secrets(ministry string, rows []directory.Account) ([]corev1.Secret, error) {
	if err := passwordFree(rows); err != nil {
		return nil, err
	}
	whole := sha256.New()
	var chunks [][]byte
	for first := true; first || len(rows) > 0; first = false {
		chunk, n, err := fill(rows, whole)
		if err != nil {
			return nil, fmt.Errorf("cannot compress the accounts: %w", err)
		}
		chunks = append(chunks, chunk)
		rows = rows[n:]
	}
	id := hex.EncodeToString(whole.Sum(nil)[:4])
	out := make([]corev1.Secret, 0, len(chunks))
	immutable := true
	for i, chunk := range chunks {
		out = append(out, corev1.Secret{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{
				Namespace: naming.SystemNamespace,
				Name:      fmt.Sprintf("%s-accounts-%s-%04d", ministry, id, i+1),
				Labels:    map[string]string{naming.LabelPartOf: naming.PartOf, naming.LabelImport: ministry},
			},
			Immutable: &immutable,
			Type:      corev1.SecretTypeOpaque,
			Data:      map[string][]byte{chunkKey: chunk},
		})
	}
	return out, nil
}

// fill compresses rows until the chunk is full and returns how many went in.
func fill(rows []directory.Account, whole hash.Hash) (chunk []byte, n int, err error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	text := csv.NewWriter(zip)
	if err := text.Write([]string{"address", "name", "entity", "service", "password"}); err != nil {
		return nil, 0, err
	}
	for n < len(rows) && out.Len() < chunkBytes {
		for range min(flushRows, len(rows)-n) {
			a := rows[n]
			n++
			if err := text.Write([]string{a.Address, a.Name, a.Entity, a.Service, a.Password}); err != nil {
				return nil, 0, err
			}
		}
		text.Flush()
		if err := zip.Flush(); err != nil {
			return nil, 0, err
		}
	}
	text.Flush()
	if err := zip.Close(); err != nil {
		return nil, 0, err
	}
	whole.Write(out.Bytes())
	return out.Bytes(), n, nil
}
