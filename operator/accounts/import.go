package accounts

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/mailstack/directory"
	"gouv.tg/messagerie/operator/naming"
)

// importManager owns, in server-side apply, the sources that an import adds to a ministry.
const importManager = "messagerie-accounts-import"

// Import makes a CSV file a source of a ministry's accounts and returns how many it holds. Passwords in clear are
// hashed here: they never enter the cluster. What an earlier import brought is replaced as a whole: the new Secrets are
// there before the ministry refers to them, and the old ones go after it no longer does.
func Import(ctx context.Context, c client.Client, ministry string, csv io.Reader) (int, error) {
	var m v1alpha1.Ministry
	if err := c.Get(ctx, client.ObjectKey{Name: ministry}, &m); err != nil {
		if apierrors.IsNotFound(err) {
			return 0, fmt.Errorf("--ministry: found %q; accepted is the name of a Ministry: see messagerie get ministries", ministry)
		}
		return 0, fmt.Errorf("cannot read Ministry %s: %w", ministry, err)
	}
	var p v1alpha1.Platform
	if err := c.Get(ctx, client.ObjectKey{Name: v1alpha1.PlatformName}, &p); err != nil {
		return 0, fmt.Errorf("cannot read the Platform: %w", err)
	}
	data, err := io.ReadAll(csv)
	if err != nil {
		return 0, fmt.Errorf("cannot read the accounts: %w", err)
	}
	rules := NewRules(&m, string(p.Spec.Domain))
	rules.clear = true
	rows, err := file{where: "FILE.csv", data: data}.parse(rules)
	if err != nil {
		return 0, err
	}
	if err := hashPasswords(ctx, rows); err != nil {
		return 0, err
	}
	secrets, err := Secrets(ministry, rows)
	if err != nil {
		return 0, err
	}
	for i := range secrets {
		if err := c.Create(ctx, &secrets[i]); err != nil && !apierrors.IsAlreadyExists(err) {
			return 0, fmt.Errorf("cannot store the accounts in Secret %s: %w", secrets[i].Name, err)
		}
	}
	if err := refer(ctx, c, &m, secrets); err != nil {
		return 0, err
	}
	return len(rows), prune(ctx, c, ministry, secrets)
}

// hashPasswords hashes passwords in clear, on every processor.
func hashPasswords(ctx context.Context, rows []directory.Account) error {
	group, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		group.Go(func() error {
			for i := w; i < len(rows) && ctx.Err() == nil; i += workers {
				if rows[i].Password == "" || directory.IsHash(rows[i].Password) {
					continue
				}
				hash, err := directory.Hash(rows[i].Password)
				if err != nil {
					return fmt.Errorf("cannot hash the password of %s: %w", rows[i].Address, err)
				}
				rows[i].Password = hash
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// refer makes the ministry's sources be the secrets, beside those that did not come from an import.
func refer(ctx context.Context, c client.Client, m *v1alpha1.Ministry, secrets []corev1.Secret) error {
	sources := make([]any, 0, len(secrets))
	for _, s := range secrets {
		sources = append(sources, map[string]any{"kind": string(v1alpha1.SourceSecret), "name": s.Name})
	}
	patch := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"accounts": map[string]any{"sources": sources}},
	}}
	patch.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Ministry"))
	patch.SetName(m.Name)
	patch.SetUID(m.UID) // not one that was made anew meanwhile
	err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(patch), client.FieldOwner(importManager), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("cannot make the accounts a source of Ministry %s: %w", m.Name, err)
	}
	return nil
}

// prune removes the Secrets of earlier imports.
func prune(ctx context.Context, c client.Client, ministry string, keep []corev1.Secret) error {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := c.List(ctx, &list, client.InNamespace(naming.SystemNamespace), client.MatchingLabels{naming.LabelImport: ministry}); err != nil {
		return fmt.Errorf("cannot list the accounts of earlier imports: %w", err)
	}
	for i := range list.Items {
		old := &list.Items[i]
		if slices.ContainsFunc(keep, func(s corev1.Secret) bool { return s.Name == old.Name }) {
			continue
		}
		if err := c.Delete(ctx, old); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("cannot remove the accounts of an earlier import in Secret %s: %w", old.Name, err)
		}
	}
	return nil
}

// passwordFree checks that rows hold no password in clear: it guards what is written to the cluster or to a file.
func passwordFree(rows []directory.Account) error {
	for _, row := range rows {
		if row.Password != "" && !directory.IsHash(row.Password) {
			return fmt.Errorf("cannot store the account %s: its password is not hashed", row.Address)
		}
	}
	return nil
}
