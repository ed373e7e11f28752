package origin

import (
	"fmt"
	"strconv"
	"strings"
)

// statuses is a set of status codes, from 100 to 599.
type statuses [600]bool

// parseStatuses reads "200-399,404".
func parseStatuses(text string) (set *statuses, err error) {
	set = new(statuses)
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		from, ok := parseStatus(first)
		to := from
		if ok && isRange {
			to, ok = parseStatus(last)
		}
		if !ok || from > to {
			return nil, fmt.Errorf("%q is no list of statuses: want numbers from 100 to 599 and ranges of them, such as 200-399,404", text)
		}
		for status := from; status <= to; status++ {
			set[status] = true
		}
	}
	return set, nil
}

func parseStatus(text string) (status int, ok bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return int(n), err == nil && len(text) == 3 && n >= 100 && n <= 599
}

func (s *statuses) has(status int) bool { return status < len(s) && s[status] }
