package store

import (
	"errors"
	"slices"
)

// refusals are the errors that are about the request and not about the disk.
var refusals = []error{
	ErrNoAccount, ErrNoMailbox, ErrMailboxExists, ErrMailboxInUse, ErrNoMessage, ErrOverQuota,
	ErrMailboxName, ErrTooManyBoxes, ErrFlags, ErrNoItem, ErrInvalidAccount,
	errShareLost, ErrACL, ErrMetadataTooMany, ErrMetadataTooLarge, ErrMetadataName,
}

func isRefusal(err error) bool {
	return slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) })
}

// told says how much of the announcements was there at some moment.
type told struct {
	events                               int
	accountsChanged, queueChanged, swept bool
}

func (t *tx) told() told {
	return told{len(t.events), t.accountsChanged, t.queueChanged, t.swept}
}

func (t *tx) untell(to told) {
	t.events = t.events[:to.events]
	t.accountsChanged, t.queueChanged, t.swept = to.accountsChanged, to.queueChanged, to.swept
}
