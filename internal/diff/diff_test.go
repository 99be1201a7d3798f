package diff

import "reflect"

func equal(a, b Diff) bool { return reflect.DeepEqual(a, b) }
