package cert

import (
	"context"

	"github.com/caddyserver/certmagic"
)

// storage keeps certmagic's files, without its lock files: one goroutine tends a host, and a data folder is one node's.
type storage struct{ *certmagic.FileStorage }

// Lock implements [certmagic.Locker].
func (storage) Lock(context.Context, string) error { return nil }

// TryLock implements [certmagic.TryLocker].
func (storage) TryLock(context.Context, string) (bool, error) { return true, nil }

// Unlock implements [certmagic.Locker].
func (storage) Unlock(context.Context, string) error { return nil }
