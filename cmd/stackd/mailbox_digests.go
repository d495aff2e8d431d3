package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"gouv.tg/messagerie/mailstack/admin"
)

func digestMailbox(ctx context.Context, v *verb, _ io.Reader, out io.Writer) error {
	name := v.flags.String("mailbox", "INBOX", "the mailbox, a `NAME`")
	after := v.flags.Uint("after", 0, "only messages with a greater `UID`")
	address, err := v.account(1)
	if err != nil {
		return err
	}
	if *after > math.MaxUint32 {
		return fmt.Errorf("%w: --after: found %d; accepted are up to %d", errUsage, *after, uint32(math.MaxUint32))
	}
	return v.client.Digests(ctx, address, *name, uint32(*after), printer[admin.Digest](out))
}
