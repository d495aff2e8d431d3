package accounts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/operator/naming"
)

// Load reads all sources of a ministry, merged in their order. Mistakes of people are a *Problem.
func Load(ctx context.Context, c client.Reader, m *v1alpha1.Ministry, shared string) ([]directory.Account, error) {
	rules := NewRules(m, shared)
	var all []directory.Account
	index := map[string]int{}
	for _, source := range m.Spec.Accounts.Sources {
		files, err := read(ctx, c, source)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			rows, err := f.parse(rules)
			if err != nil {
				return nil, err
			}
			all = merge(all, index, rows)
		}
	}
	if len(all) > directory.MaxRows {
		return nil, &Problem{v1alpha1.ReasonInvalidAccounts,
			fmt.Sprintf("spec.accounts.sources: found %d accounts; accepted are %d", len(all), directory.MaxRows)}
	}
	return all, nil
}

func read(ctx context.Context, c client.Reader, source v1alpha1.AccountSource) ([]file, error) {
	key := client.ObjectKey{Namespace: naming.SystemNamespace, Name: source.Name}
	data := map[string][]byte{}
	var err error
	if source.Kind == v1alpha1.SourceSecret {
		var secret corev1.Secret
		err = c.Get(ctx, key, &secret)
		data = secret.Data
	} else {
		var config corev1.ConfigMap
		err = c.Get(ctx, key, &config)
		maps.Copy(data, config.BinaryData)
		for k, v := range config.Data {
			data[k] = []byte(v)
		}
	}
	where := fmt.Sprintf("%s %s/%s", source.Kind, key.Namespace, key.Name)
	if apierrors.IsNotFound(err) {
		return nil, &Problem{v1alpha1.ReasonSourceMissing, where + " does not exist"}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", where, err)
	}
	return files(where, data)
}

func files(where string, data map[string][]byte) ([]file, error) {
	var out []file
	for _, key := range slices.Sorted(maps.Keys(data)) {
		zipped := strings.HasSuffix(key, ".csv.gz")
		if zipped || strings.HasSuffix(key, ".csv") {
			out = append(out, file{where: where + ", key " + key, data: data[key], gzip: zipped})
		}
	}
	if len(out) == 0 {
		return nil, &Problem{v1alpha1.ReasonInvalidAccounts,
			where + ": found no key that ends in .csv or .csv.gz; accepted is at least one"}
	}
	return out, nil
}
