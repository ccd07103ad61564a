"""Imports of users' units: the folder of a unit comes first for its code, whatever other folders hold (spec 5.2).

ModelBox appends the folder of every unit to `sys.path`, so two files of one name exclude each other. Here the
folder is appended too (for pickle, multiprocessing and the like), and modules get their plain names as long as
nobody else has these. In addition code below such a folder has an `__import__` of its own, which prefers that
folder to everything but the standard library. A module whose plain name is taken gets a longer one.
"""

import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import reload
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from server.flow.pyunits.modules import API_NAMES, api_modules

_PREFIX = "unit_"


class UnitImports:
    """A hook of `sys.path_hooks` and of `sys.meta_path`; one for the process, made at first need."""

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}
        self.api = api_modules()

    @classmethod
    def of_process(cls) -> "UnitImports":
        if not any(isinstance(hook, cls) for hook in sys.path_hooks):
            sys.path_hooks.insert(0, cls())
        # two threads may have come here together: the one further back was first, for both
        oldest = next(hook for hook in reversed(sys.path_hooks) if isinstance(hook, cls))
        if oldest not in sys.meta_path:
            sys.meta_path.append(oldest)
        return oldest

    def load(self, folder: str, name: str) -> ModuleType:
        """The module `name`, dotted if in a package, as code in `folder` would import it.

        Raises: whatever the module's code raises; ModuleNotFoundError.
        """
        module = self._folder(folder).import_first(name)
        self._offer_api()
        return module

    def __call__(self, path: str) -> FileFinder:
        """The path hook: who looks into a folder of units finds modules that import as units do.

        Raises: ImportError for any other folder.
        """
        folder = self._around(path)
        if folder is None or not Path(path).is_dir():
            raise ImportError(f"{path} is not in the folder of a unit")
        return folder.finder(path)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The finder of modules that have a longer name. It is the last one asked."""
        if path is not None or not name.startswith(_PREFIX):
            return None
        for folder in list(self._folders.values()):
            if name.startswith(folder.prefix):
                return folder.spec(name.removeprefix(folder.prefix), name)
        return None

    def invalidate_caches(self) -> None:
        """For `importlib.invalidate_caches`: nothing is kept here."""

    def _folder(self, path: str) -> "_Folder":
        folder = self._folders.get(path)
        if folder is None:
            folder = self._folders.setdefault(path, _Folder(path, self.api))
            sys.path_importer_cache.pop(path, None)
            if path not in sys.path:
                sys.path.append(path)
        return folder

    def _around(self, path: str) -> "_Folder | None":
        """The innermost known folder that `path` is, or lies in."""
        for candidate in (Path(path), *Path(path).parents):
            folder = self._folders.get(str(candidate))
            if folder is not None:
                return folder
        return None

    def _offer_api(self) -> None:
        """For code that is no unit's and imports these all the same. A real `modelbox`, a package, stays."""
        for name, module in self.api.items():
            found = PathFinder.find_spec(name)
            is_real = found is not None and found.submodule_search_locations is not None
            if name not in sys.modules and not is_real:
                sys.modules[name] = module


class _Folder:
    """What code below one folder sees when it imports."""

    def __init__(self, path: str, api: Mapping[str, ModuleType]) -> None:
        self.path = path
        self.prefix = f"{_PREFIX}{sha256(path.encode()).hexdigest()[:8]}_"
        self.builtins = {**vars(builtins), "__import__": self.import_module}
        self._api = api
        self._files = self.finder(path)
        self._names: dict[str, str] = {}

    def finder(self, path: str) -> FileFinder:
        return FileFinder(
            path,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (self._source_loader, SOURCE_SUFFIXES),  # type: ignore[arg-type]
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )

    def spec(self, name: str, full_name: str) -> ModuleSpec | None:
        """Of the module or package `name` in this folder, to be loaded as `full_name`; None, when there is none. A
        folder without `__init__.py` has no loader, and counts only where nothing else has the name."""
        found = self._files.find_spec(name)
        if found is None or (found.loader is None and not _has_only_folders(name)):
            return None
        found.name = full_name
        if found.loader is not None:
            vars(found.loader)["name"] = full_name
        return found

    def import_module(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """`__import__` for the code below this folder."""
        if level == 0:
            top = name.partition(".")[0]
            if top in API_NAMES:
                return self._import_api(name)
            if top not in sys.stdlib_module_names:
                name = self._name_of(top) + name[len(top) :]
        return builtins.__import__(name, globals, locals, fromlist or (), level)

    def import_first(self, name: str) -> ModuleType:
        """The module `name` itself, even where the standard library has one of this name; executed again when its
        file was changed, as in a notebook that tries a unit out."""
        top, dot, rest = name.partition(".")
        full_name = self._name_of(top) + dot + rest
        builtins.__import__(full_name)
        module = sys.modules[full_name]
        loader = getattr(module.__spec__, "loader", None)
        if isinstance(loader, _UnitLoader) and loader.is_outdated():
            return reload(module)
        return module

    def _import_api(self, name: str) -> ModuleType:
        if name not in self._api:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return self._api[name]

    def _name_of(self, top: str) -> str:
        """The name under which this folder's `top` is imported: its own, a longer one where that one is taken, and
        just `top` when the folder has none."""
        known = self._names.get(top)
        if known is not None:
            return known
        if self.spec(top, top) is None:
            if top in sys.modules:
                self._names[top] = top
            return top
        return self._names.setdefault(top, top if self._owns(top) else self.prefix + top)

    def _owns(self, top: str) -> bool:
        """Whether the plain name `top` is, or is going to be, the module of this folder."""
        loaded = sys.modules.get(top)
        if loaded is not None:
            return self._is_mine(getattr(loaded, "__spec__", None))
        return top not in sys.stdlib_module_names and self._is_mine(PathFinder.find_spec(top))

    def _is_mine(self, spec: ModuleSpec | None) -> bool:
        if spec is not None and _is_folder(spec):
            return next(iter(spec.submodule_search_locations or ())) == str(Path(self.path, spec.name))
        if spec is None or spec.origin is None:
            return False
        file = Path(spec.origin)
        return str(file.parent.parent if file.name == "__init__.py" else file.parent) == self.path

    def _source_loader(self, name: str, path: str) -> "_UnitLoader":
        return _UnitLoader(name, path, self.builtins)


def _has_only_folders(name: str) -> bool:
    loaded = sys.modules.get(name)
    spec = PathFinder.find_spec(name) if loaded is None else getattr(loaded, "__spec__", None)
    return _is_folder(spec) if spec is not None else loaded is None


def _is_folder(spec: ModuleSpec) -> bool:
    return spec.origin is None and spec.submodule_search_locations is not None


class _UnitLoader(SourceFileLoader):
    def __init__(self, name: str, path: str, own_builtins: dict[str, Any]) -> None:
        super().__init__(name, path)
        self._builtins = own_builtins
        self._executed: object = None

    def is_outdated(self) -> bool:
        """Whether the file was changed since, or failed."""
        return self._executed != self.path_stats(self.path)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._builtins
        found, self._executed = self.path_stats(self.path), None
        super().exec_module(module)
        self._executed = found


def frames_below(folder: str, error: BaseException) -> Iterator[tuple[str, int, str]]:
    """File, line and function of each call of `error`'s trace whose code lies below `folder`, outermost first."""
    trace = error.__traceback__
    while trace is not None:
        code: CodeType = trace.tb_frame.f_code
        if Path(code.co_filename).is_relative_to(folder):
            yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next
