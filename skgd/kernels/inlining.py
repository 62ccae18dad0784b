"""Inlining, which is most of the time of compilation, without work that is done twice.

numba inlines into a function what it calls after the same was done to these, so that code three
calls down is copied three times, and puts each function through all passes before. Here a function
is inlined as it was written, the calls in it afterwards, and the passes see all of it once.
"""

from numba.core import ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_machinery import FunctionPass, PassManager, register_pass
from numba.core.typed_passes import IRLegalization, NopythonRewrites
from numba.core.untyped_passes import (
    FixupArgs,
    InlineClosureLikes,
    InlineInlinables,
    IRProcessing,
    TranslateByteCode,
)


@register_pass(mutates_CFG=True, analysis_only=False)
class InlineClosures(InlineClosureLikes):
    """Inline functions that are defined within others, where there are."""

    _name = "inline_closures"

    def run_pass(self, state):
        blocks = state.func_ir.blocks.values()
        found = any(any(block.find_exprs(op="make_function")) for block in blocks)
        return found and super().run_pass(state)


FRONT = TranslateByteCode, FixupArgs, IRProcessing, InlineClosures
LEFT_OUT = (
    *(*FRONT, InlineClosureLikes, InlineInlinables),
    NopythonRewrites,  # of expressions of arrays, which parts may not make
)


@register_pass(mutates_CFG=True, analysis_only=False)
class FlatInlining(InlineInlinables):
    """Inline functions as they were written."""

    _name = "flat_inlining"

    def _do_work(self, state, work_list, block, i, expr, inline_worker):
        inline_worker._compiler_pipeline = translation
        return super()._do_work(state, work_list, block, i, expr, inline_worker)


class TemporaryBlock(ir.Block):
    """A block of a function that is translated to be inlined, once: it need not be copied."""

    def __deepcopy__(self, known):
        return self


@register_pass(mutates_CFG=False, analysis_only=False)
class MarkTemporary(FunctionPass):
    """Make the blocks of a translated function temporary."""

    _name = "mark_temporary"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        for block in state.func_ir.blocks.values():
            block.__class__ = TemporaryBlock
        return False


@register_pass(mutates_CFG=False, analysis_only=False)
class DropDeletions(FunctionPass):
    """Drop the ends of the lives of variables: nothing counts references."""

    _name = "drop_deletions"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        for block in state.func_ir.blocks.values():
            block.body = [line for line in block.body if not isinstance(line, ir.Del)]
        return True


def translation(state, last=MarkTemporary):
    """Return the passes for a function that is inlined."""
    manager = PassManager("translation")
    for kind in (*FRONT, last):
        manager.add_pass(kind, kind.__name__)
    return manager


class QuickFlags(Flags):
    """Options of a compilation, which numba compares whenever it looks a function up."""

    __slots__ = ()
    digest = hash(tuple(sorted(Flags.options)))  # of numba's own, which are the names

    def __hash__(self):
        return self.digest

    def __eq__(self, other):
        return self is other or self._values == other._values or super().__eq__(other)


class FlatCompiler(CompilerBase):
    """numba's compiler with `FlatInlining`, after the translation and before other passes."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.state.flags = QuickFlags(self.state.flags)

    def define_pipelines(self):
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        rest = [entry for entry in manager.passes if entry[0] not in LEFT_OUT]
        manager.passes = translation(self.state, FlatInlining).passes + rest
        manager.add_pass_after(DropDeletions, IRLegalization)
        manager.finalize()
        return [manager]
