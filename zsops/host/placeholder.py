"""The tar of release 000000: what a host shows before its first deployment.

As `zeroserve pack` makes it of the page, and kept here as it is: the packer takes 0.05 s to load.
"""

from __future__ import annotations

import base64
import zlib

#: A host without a deployment says so, with a status that no monitoring takes for a working site.
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Nothing deployed yet</title>
<h1>Nothing deployed yet</h1>
<p>This host is ready; its first site has not arrived.</p>
"""
#: `PAGE` as 404.html, packed, compressed, in base 85.
_PACKED = (
    "c-qseN-fGSPAw`+)z3}MO-d~))=SFFW1uQ900J`;6EF<~=(K^6DS{0aH#9aeHegUNV4wpiEiOqc0$NWEPa=D6h=8"
    "bIUsqqJAVWqVTLFjzP77z>{hIWYrLvPPf6G3x&HoR|PHE0vcem-YvIsY~fCst(Y!GS*n(%Ce{wgbO(I1U<vzG1c*"
    "jHNnVa0leRQD(r*W$lDQ`@8^pz1gnAgq$qiW2>dlH43?h2)IHqT<vN+tQLWT?-Qf6FrbH!ziE$phx%;%>M{EX#O`"
    "aF)$j<|MUPhiYfWYC6xuK3ZPVA$7Pe7T9OFQf=b{#s00))$t=l9we!m_$;ix0S4c@M$jPrvO;M;!EwRyu$Z^?Z7~"
    ")U>l;E-{unWn^ELO<KFD_94(nYC>DV5d=nI**vX_-YpvEs}Upd%8C74q^+6cUSyGRsm^^lbDC?6^jA=_nWlqhJ(J"
    "9{>Oyy^e_"
)


def tar() -> bytes:
    """The tar's bytes."""
    return zlib.decompress(base64.b85decode(_PACKED))
