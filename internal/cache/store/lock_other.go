//go:build !unix

package store

import (
	"errors"
	"os"
)

func lockWhole(*os.File) error { return errors.ErrUnsupported }
