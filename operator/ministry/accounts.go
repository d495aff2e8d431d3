package ministry

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/event"

	"gouv.tg/messagerie/api/v1alpha1"
	"gouv.tg/messagerie/operator/accounts"
	"gouv.tg/messagerie/operator/ministry/specs"
)

const (
	statusTimeout = 10 * time.Second
	// putTimeout allows for the largest ministry on a slow disk.
	putTimeout = 3 * time.Minute

	maxClashesListed = 10
)

// reconcileAccounts makes the cell hold exactly the accounts of the sources, but for those that an older ministry holds.
func (r *Reconciler) reconcileAccounts(ctx context.Context, s *scope, older []*v1alpha1.Ministry) error {
	set, err := r.book.Prepare(ctx, accounts.Query{
		Ministry:   s.ministry,
		Older:      older,
		Shared:     string(s.platform.Spec.Domain),
		QuotaBytes: specs.MailboxQuota(s.ministry, s.platform),
		Probe:      s.keys.probe,
	})
	r.enqueue(ctx, set.Touched)
	if problem, ok := accounts.AsProblem(err); ok {
		s.conds.False(v1alpha1.ConditionAccountsReady, problem.Reason, problem.Message+". The accounts last applied stay.")
		return nil
	}
	if err != nil {
		s.conds.False(v1alpha1.ConditionAccountsReady, v1alpha1.ReasonFailed, err.Error())
		return err
	}
	s.ministry.Status.Accounts.Declared = int32(set.Declared)
	s.ministry.Status.Accounts.Clashing = int32(len(set.Clashes))
	if s.pod == nil {
		s.conds.False(v1alpha1.ConditionAccountsReady, v1alpha1.ReasonCellStarting, "waiting for the cell")
		return nil
	}
	if err := r.push(ctx, s, set); err != nil {
		s.conds.False(v1alpha1.ConditionAccountsReady, v1alpha1.ReasonFailed, err.Error())
		return err
	}
	s.ministry.Status.Accounts.Hash = set.Hash
	s.ministry.Status.Accounts.Served = int32(set.Declared - len(set.Clashes))
	switch {
	case len(set.Clashes) > 0:
		message := clashMessage(s.ministry.Name, set.Clashes)
		if old := s.conds.Get(v1alpha1.ConditionAccountsReady); old == nil || old.Message != message {
			r.tellHolders(s.ministry, older, set.Clashes)
		}
		s.conds.False(v1alpha1.ConditionAccountsReady, v1alpha1.ReasonAddressClash, message)
	case len(s.ministry.Spec.Accounts.Sources) == 0:
		s.conds.True(v1alpha1.ConditionAccountsReady, v1alpha1.ReasonNoSources, "spec.accounts.sources is empty: there are no accounts")
	default:
		s.conds.True(v1alpha1.ConditionAccountsReady, v1alpha1.ReasonAccountsApplied,
			fmt.Sprintf("the cell serves the %d accounts of the sources", set.Declared))
	}
	return nil
}

// push gives the cell the set unless it has it.
func (r *Reconciler) push(ctx context.Context, s *scope, set accounts.Set) error {
	cell, err := r.dial(s.ministry.Name, s.pod)
	if err != nil {
		return err
	}
	defer cell.Close()
	asking, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	status, err := cell.Status(asking)
	if err != nil {
		return fmt.Errorf("cannot ask the cell for its status: %w", err)
	}
	if status.AccountsHash == set.Hash {
		return nil
	}
	all, err := set.Accounts(ctx)
	if err != nil {
		return err
	}
	putting, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	result, err := cell.PutAccounts(putting, all)
	if err != nil {
		return fmt.Errorf("cannot apply the accounts to the cell: %w", err)
	}
	r.event(s.ministry, nil, normal, v1alpha1.ReasonAccountsApplied, "ApplyAccounts",
		fmt.Sprintf("%d accounts added, %d updated, %d disabled, %d unchanged",
			result.Added, result.Updated, result.Disabled, result.Unchanged))
	return nil
}

// enqueue has other ministries looked at because their clashes may have changed.
func (r *Reconciler) enqueue(ctx context.Context, ministries []string) {
	for _, name := range ministries {
		m := &v1alpha1.Ministry{}
		m.Name = name
		select {
		case r.touched <- event.GenericEvent{Object: m}:
		case <-ctx.Done():
			return
		}
	}
}

func clashMessage(ministry string, clashes []accounts.Clash) string {
	var listed []string
	for _, c := range clashes[:min(len(clashes), maxClashesListed)] {
		listed = append(listed, fmt.Sprintf("%s is claimed by %s and held by %s", c.Address, ministry, c.Holder))
	}
	if more := len(clashes) - len(listed); more > 0 {
		listed = append(listed, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%d addresses are left out, all others are served: %s", len(clashes), strings.Join(listed, "; "))
}
