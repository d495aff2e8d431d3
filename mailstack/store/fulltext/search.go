package fulltext

import (
	"encoding/binary"
	"errors"

	"gouv.tg/messagerie/mailstack/mime"
	"gouv.tg/messagerie/mailstack/store/database"
)

const (
	maxProbes = 16      // needles of one search that the index is asked for; the others may be anywhere
	maxWanted = 1 << 20 // contents that one search asks to have indexed
)

// Search answers for the messages of one account which strings they do not have. It is for one goroutine.
type Search struct {
	indexes *Indexes
	account int64
	file    *file // nil: there is no index
	probes  []probe
	blocks  map[uint32][][]uint64 // of each block that was looked at, for each probe: which rows may have the needle
	wanted  []int64
}

// Search begins a search in an account. Close ends it.
func (x *Indexes) Search(account int64, needles []mime.Needle) *Search {
	s := &Search{indexes: x, account: account, blocks: make(map[uint32][][]uint64)}
	useful := false
	for i := range needles[:min(len(needles), maxProbes)] {
		p := newProbe(needles[i].Folded())
		useful = useful || len(p) > 0
		s.probes = append(s.probes, p)
	}
	if useful {
		s.file = x.acquire(account, false)
	}
	return s
}

// Lacks sets lacks[i] for each needle i that the text of a content certainly does not have, and clears it for all others. It is
// false if the content is not indexed; it will be, some time after Close.
func (s *Search) Lacks(content int64, lacks []bool) bool {
	clear(lacks)
	indexed := false
	if s.file != nil {
		var err error
		if indexed, err = s.lacks(content, lacks); err != nil {
			s.indexes.discard(s.file, err)
			s.indexes.release(s.file)
			s.file, indexed = nil, false
			clear(lacks)
		}
	}
	if !indexed && len(s.wanted) < maxWanted {
		s.wanted = append(s.wanted, content)
	}
	return indexed
}

// Close ends the search and lets the feeder know of what was not indexed.
func (s *Search) Close() {
	if s.file != nil {
		s.indexes.release(s.file)
		s.file = nil
	}
	s.indexes.want(s.account, s.wanted)
	s.wanted = nil
}

func (s *Search) lacks(content int64, lacks []bool) (bool, error) {
	f := s.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db == nil {
		return false, errDamaged
	}
	at, found := f.find(content)
	if !found {
		return false, nil
	}
	if at.block == 0 {
		signature, err := f.signature(content)
		for i := range min(len(s.probes), len(lacks)) {
			lacks[i] = err == nil && s.probes[i].lacks(signature)
		}
		return err == nil, err
	}
	rows, seen := s.blocks[at.block]
	if !seen {
		for _, p := range s.probes {
			r, err := f.candidates(at.block, p)
			if err != nil {
				return false, err
			}
			rows = append(rows, r)
		}
		s.blocks[at.block] = rows
	}
	for i := range min(len(rows), len(lacks)) {
		lacks[i] = rows[i][at.row/64]&(1<<(at.row%64)) == 0
	}
	return true, nil
}

// signature reads the signature of a content that waits.
func (f *file) signature(content int64) (signature []byte, _ error) {
	var broken error
	found, err := f.db.Row(func(r *database.Rows) { signature, broken = unseal(content, r.Blob(0)) }, "SELECT signature FROM waiting WHERE content = ?", content)
	if err = needed(found, err, broken); err != nil {
		return nil, err
	}
	if _, ok := logSize(signature); !ok && len(signature) > 0 {
		return nil, errDamaged
	}
	return signature, nil
}

// candidates returns which rows of a block have all bits of a probe.
func (f *file) candidates(block uint32, p probe) ([]uint64, error) {
	log := f.logs[block]
	result := make([]uint64, rows(log)/64)
	for i := range result {
		result[i] = ^uint64(0)
	}
	for _, bit := range p {
		group, offset := slice(bit, log)
		id := int64(block)*groups + int64(group)
		any := uint64(0)
		var broken error
		found, err := f.db.Row(func(r *database.Rows) {
			var bits []byte
			if bits, broken = unseal(id, r.View(0)); broken != nil || len(bits) != groupBytes {
				broken = errors.Join(broken, errDamaged)
				return
			}
			for i := range result {
				result[i] &= binary.LittleEndian.Uint64(bits[offset+8*i:])
				any |= result[i]
			}
		}, "SELECT bits FROM bits WHERE id = ?", id)
		if err = needed(found, err, broken); err != nil {
			return nil, err
		}
		if any == 0 {
			break
		}
	}
	return result, nil
}

// needed is the error of a row that has to be there: err of asking for it, broken of reading it.
func needed(found bool, err, broken error) error {
	switch {
	case err != nil:
		return err
	case broken != nil:
		return broken
	case !found:
		return errDamaged
	}
	return nil
}
