"""Material laws on a row of voxels, from nodal sums and differences to nodal forces, compiled.

``before`` and ``after`` hold, for the nodes before and after the voxels along y, four rows a
component: sum and difference along z of the sum along x, then of the difference along x. The
forces go back the same way: the first half of ``forces`` receives what is complete for the nodes
before the voxels, the second half what is owed to the nodes after them. Coefficients are named
after the component of the displacement and the polynomial they multiply; constants of the
material come divided by 16, gradients times 4.
"""

from __future__ import annotations

from mksdask.simulate.compiled import inlined

PAD = 8  # rows are filled up to this many voxels: one wide vector, or two narrow ones
THIRD, NINTH = 1.0 / 3.0, 1.0 / 9.0


@inlined
def isotropic(  # type: ignore[no-untyped-def]
    before, after, constants, forces, load, width, total, pitch
):
    """Lame constants lambda and mu."""
    third, ninth = forces.dtype.type(THIRD), forces.dtype.type(NINTH)
    lxx, lyy, lzz = load[0], load[1], load[2]
    lyz, lxz, lxy = load[3], load[4], load[5]
    energy, t0, t1, t2, t3, t4, t5 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    width = min(width, pitch)
    for k in range(width):
        a, b = before[k], after[k]
        x_y = b - a
        a, b = before[pitch + k], after[pitch + k]
        x_z, x_yz = a + b, b - a
        a, b = before[2 * pitch + k], after[2 * pitch + k]
        x_x, x_xy = a + b, b - a
        a, b = before[3 * pitch + k], after[3 * pitch + k]
        x_xz, x_xyz = a + b, b - a
        a, b = before[4 * pitch + k], after[4 * pitch + k]
        y_y = b - a
        a, b = before[5 * pitch + k], after[5 * pitch + k]
        y_z, y_yz = a + b, b - a
        a, b = before[6 * pitch + k], after[6 * pitch + k]
        y_x, y_xy = a + b, b - a
        a, b = before[7 * pitch + k], after[7 * pitch + k]
        y_xz, y_xyz = a + b, b - a
        a, b = before[8 * pitch + k], after[8 * pitch + k]
        z_y = b - a
        a, b = before[9 * pitch + k], after[9 * pitch + k]
        z_z, z_yz = a + b, b - a
        a, b = before[10 * pitch + k], after[10 * pitch + k]
        z_x, z_xy = a + b, b - a
        a, b = before[11 * pitch + k], after[11 * pitch + k]
        z_xz, z_xyz = a + b, b - a
        la, mm = constants[k], constants[width + k]
        exx, eyy, ezz = x_x + lxx, y_y + lyy, z_z + lzz
        eyz, exz, exy = y_z + z_y + lyz, x_z + z_x + lxz, x_y + y_x + lxy
        pressure, m2 = la * (exx + eyy + ezz), mm + mm
        sxx, syy, szz = pressure + m2 * exx, pressure + m2 * eyy, pressure + m2 * ezz
        syz, sxz, sxy = mm * eyz, mm * exz, mm * exy
        l3, m3 = la * third, mm * third
        a3 = l3 + (m3 + m3 + m3)
        f_x_xy, f_z_yz = a3 * x_xy + l3 * z_yz, a3 * z_yz + l3 * x_xy
        f_x_xz, f_y_yz = a3 * x_xz + l3 * y_yz, a3 * y_yz + l3 * x_xz
        f_y_xy, f_z_xz = a3 * y_xy + l3 * z_xz, a3 * z_xz + l3 * y_xy
        twist = x_yz + y_xz + z_xy
        f_x_yz, f_y_xz, f_z_xy = m3 * (x_yz + twist), m3 * (y_xz + twist), m3 * (z_xy + twist)
        a9 = (la + m2 + m2) * ninth
        f_x_xyz, f_y_xyz, f_z_xyz = a9 * x_xyz, a9 * y_xyz, a9 * z_xyz
        energy += (
            (sxx * exx + syy * eyy + szz * ezz)
            + (syz * eyz + sxz * exz + sxy * exy)
            + (f_x_xy * x_xy + f_y_xy * y_xy + f_z_xy * z_xy)
            + (f_x_yz * x_yz + f_y_yz * y_yz + f_z_yz * z_yz)
            + (f_x_xz * x_xz + f_y_xz * y_xz + f_z_xz * z_xz)
            + (f_x_xyz * x_xyz + f_y_xyz * y_xyz + f_z_xyz * z_xyz)
        )
        t0 += sxx
        t1 += syy
        t2 += szz
        t3 += syz
        t4 += sxz
        t5 += sxy
        forces[k] = forces[12 * pitch + k] - sxy
        forces[12 * pitch + k] = sxy
        forces[pitch + k] = forces[13 * pitch + k] + (sxz - f_x_yz)
        forces[13 * pitch + k] = sxz + f_x_yz
        forces[2 * pitch + k] = forces[14 * pitch + k] + (sxx - f_x_xy)
        forces[14 * pitch + k] = sxx + f_x_xy
        forces[3 * pitch + k] = forces[15 * pitch + k] + (f_x_xz - f_x_xyz)
        forces[15 * pitch + k] = f_x_xz + f_x_xyz
        forces[4 * pitch + k] = forces[16 * pitch + k] - syy
        forces[16 * pitch + k] = syy
        forces[5 * pitch + k] = forces[17 * pitch + k] + (syz - f_y_yz)
        forces[17 * pitch + k] = syz + f_y_yz
        forces[6 * pitch + k] = forces[18 * pitch + k] + (sxy - f_y_xy)
        forces[18 * pitch + k] = sxy + f_y_xy
        forces[7 * pitch + k] = forces[19 * pitch + k] + (f_y_xz - f_y_xyz)
        forces[19 * pitch + k] = f_y_xz + f_y_xyz
        forces[8 * pitch + k] = forces[20 * pitch + k] - syz
        forces[20 * pitch + k] = syz
        forces[9 * pitch + k] = forces[21 * pitch + k] + (szz - f_z_yz)
        forces[21 * pitch + k] = szz + f_z_yz
        forces[10 * pitch + k] = forces[22 * pitch + k] + (sxz - f_z_xy)
        forces[22 * pitch + k] = sxz + f_z_xy
        forces[11 * pitch + k] = forces[23 * pitch + k] + (f_z_xz - f_z_xyz)
        forces[23 * pitch + k] = f_z_xz + f_z_xyz
    total[0] += energy
    total[1] += t0
    total[2] += t1
    total[3] += t2
    total[4] += t3
    total[5] += t4
    total[6] += t5


@inlined
def anisotropic(  # type: ignore[no-untyped-def]
    before, after, constants, forces, load, width, total, pitch
):
    """The 21 constants of a symmetric 6 x 6 stiffness, upper triangle row by row."""
    third, ninth = forces.dtype.type(THIRD), forces.dtype.type(NINTH)
    lxx, lyy, lzz = load[0], load[1], load[2]
    lyz, lxz, lxy = load[3], load[4], load[5]
    energy, t0, t1, t2, t3, t4, t5 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    width = min(width, pitch)
    for k in range(width):
        a, b = before[k], after[k]
        x_y = b - a
        a, b = before[pitch + k], after[pitch + k]
        x_z, x_yz = a + b, b - a
        a, b = before[2 * pitch + k], after[2 * pitch + k]
        x_x, x_xy = a + b, b - a
        a, b = before[3 * pitch + k], after[3 * pitch + k]
        x_xz, x_xyz = a + b, b - a
        a, b = before[4 * pitch + k], after[4 * pitch + k]
        y_y = b - a
        a, b = before[5 * pitch + k], after[5 * pitch + k]
        y_z, y_yz = a + b, b - a
        a, b = before[6 * pitch + k], after[6 * pitch + k]
        y_x, y_xy = a + b, b - a
        a, b = before[7 * pitch + k], after[7 * pitch + k]
        y_xz, y_xyz = a + b, b - a
        a, b = before[8 * pitch + k], after[8 * pitch + k]
        z_y = b - a
        a, b = before[9 * pitch + k], after[9 * pitch + k]
        z_z, z_yz = a + b, b - a
        a, b = before[10 * pitch + k], after[10 * pitch + k]
        z_x, z_xy = a + b, b - a
        a, b = before[11 * pitch + k], after[11 * pitch + k]
        z_xz, z_xyz = a + b, b - a
        c11, c12, c13 = (
            constants[k],
            constants[width + k],
            constants[2 * width + k],
        )
        c14, c15, c16 = (
            constants[3 * width + k],
            constants[4 * width + k],
            constants[5 * width + k],
        )
        c22, c23, c24 = (
            constants[6 * width + k],
            constants[7 * width + k],
            constants[8 * width + k],
        )
        c25, c26, c33 = (
            constants[9 * width + k],
            constants[10 * width + k],
            constants[11 * width + k],
        )
        c34, c35, c36 = (
            constants[12 * width + k],
            constants[13 * width + k],
            constants[14 * width + k],
        )
        c44, c45, c46 = (
            constants[15 * width + k],
            constants[16 * width + k],
            constants[17 * width + k],
        )
        c55, c56, c66 = (
            constants[18 * width + k],
            constants[19 * width + k],
            constants[20 * width + k],
        )
        exx, eyy, ezz = x_x + lxx, y_y + lyy, z_z + lzz
        eyz, exz, exy = y_z + z_y + lyz, x_z + z_x + lxz, x_y + y_x + lxy
        sxx = (c11 * exx + c12 * eyy + c13 * ezz) + (c14 * eyz + c15 * exz + c16 * exy)
        syy = (c12 * exx + c22 * eyy + c23 * ezz) + (c24 * eyz + c25 * exz + c26 * exy)
        szz = (c13 * exx + c23 * eyy + c33 * ezz) + (c34 * eyz + c35 * exz + c36 * exy)
        syz = (c14 * exx + c24 * eyy + c34 * ezz) + (c44 * eyz + c45 * exz + c46 * exy)
        sxz = (c15 * exx + c25 * eyy + c35 * ezz) + (c45 * eyz + c55 * exz + c56 * exy)
        sxy = (c16 * exx + c26 * eyy + c36 * ezz) + (c46 * eyz + c56 * exz + c66 * exy)
        gyy = y_xy
        gzz = z_xz
        gyz = z_xy + y_xz
        gxz = x_xz
        gxy = x_xy
        hxyy = (c22 * gyy + c23 * gzz + c24 * gyz) + (c25 * gxz + c26 * gxy)
        hxzz = (c23 * gyy + c33 * gzz + c34 * gyz) + (c35 * gxz + c36 * gxy)
        hxyz = (c24 * gyy + c34 * gzz + c44 * gyz) + (c45 * gxz + c46 * gxy)
        hxxz = (c25 * gyy + c35 * gzz + c45 * gyz) + (c55 * gxz + c56 * gxy)
        hxxy = (c26 * gyy + c36 * gzz + c46 * gyz) + (c56 * gxz + c66 * gxy)
        gxx = x_xy
        gzz = z_yz
        gyz = y_yz
        gxz = z_xy + x_yz
        gxy = y_xy
        hyxx = (c11 * gxx + c13 * gzz + c14 * gyz) + (c15 * gxz + c16 * gxy)
        hyzz = (c13 * gxx + c33 * gzz + c34 * gyz) + (c35 * gxz + c36 * gxy)
        hyyz = (c14 * gxx + c34 * gzz + c44 * gyz) + (c45 * gxz + c46 * gxy)
        hyxz = (c15 * gxx + c35 * gzz + c45 * gyz) + (c55 * gxz + c56 * gxy)
        hyxy = (c16 * gxx + c36 * gzz + c46 * gyz) + (c56 * gxz + c66 * gxy)
        gxx = x_xz
        gyy = y_yz
        gyz = z_yz
        gxz = z_xz
        gxy = y_xz + x_yz
        hzxx = (c11 * gxx + c12 * gyy + c14 * gyz) + (c15 * gxz + c16 * gxy)
        hzyy = (c12 * gxx + c22 * gyy + c24 * gyz) + (c25 * gxz + c26 * gxy)
        hzyz = (c14 * gxx + c24 * gyy + c44 * gyz) + (c45 * gxz + c46 * gxy)
        hzxz = (c15 * gxx + c25 * gyy + c45 * gyz) + (c55 * gxz + c56 * gxy)
        hzxy = (c16 * gxx + c26 * gyy + c46 * gyz) + (c56 * gxz + c66 * gxy)
        gxx = x_xyz
        gxz = z_xyz
        gxy = y_xyz
        hyzxx = (c11 * gxx + c15 * gxz) + (c16 * gxy)
        hyzxz = (c15 * gxx + c55 * gxz) + (c56 * gxy)
        hyzxy = (c16 * gxx + c56 * gxz) + (c66 * gxy)
        gyy = y_xyz
        gyz = z_xyz
        gxy = x_xyz
        hxzyy = (c22 * gyy + c24 * gyz) + (c26 * gxy)
        hxzyz = (c24 * gyy + c44 * gyz) + (c46 * gxy)
        hxzxy = (c26 * gyy + c46 * gyz) + (c66 * gxy)
        gzz = z_xyz
        gyz = y_xyz
        gxz = x_xyz
        hxyzz = (c33 * gzz + c34 * gyz) + (c35 * gxz)
        hxyyz = (c34 * gzz + c44 * gyz) + (c45 * gxz)
        hxyxz = (c35 * gzz + c45 * gyz) + (c55 * gxz)
        f_x_xy = third * (hxxy + hyxx)
        f_y_xy = third * (hxyy + hyxy)
        f_z_xy = third * (hxyz + hyxz)
        f_x_yz = third * (hyxz + hzxy)
        f_y_yz = third * (hyyz + hzyy)
        f_z_yz = third * (hyzz + hzyz)
        f_x_xz = third * (hxxz + hzxx)
        f_y_xz = third * (hxyz + hzxy)
        f_z_xz = third * (hxzz + hzxz)
        f_x_xyz = ninth * (hyzxx + hxzxy + hxyxz)
        f_y_xyz = ninth * (hyzxy + hxzyy + hxyyz)
        f_z_xyz = ninth * (hyzxz + hxzyz + hxyzz)
        energy += (
            (sxx * exx + syy * eyy + szz * ezz)
            + (syz * eyz + sxz * exz + sxy * exy)
            + (f_x_xy * x_xy + f_y_xy * y_xy + f_z_xy * z_xy)
            + (f_x_yz * x_yz + f_y_yz * y_yz + f_z_yz * z_yz)
            + (f_x_xz * x_xz + f_y_xz * y_xz + f_z_xz * z_xz)
            + (f_x_xyz * x_xyz + f_y_xyz * y_xyz + f_z_xyz * z_xyz)
        )
        t0 += sxx
        t1 += syy
        t2 += szz
        t3 += syz
        t4 += sxz
        t5 += sxy
        forces[k] = forces[12 * pitch + k] - sxy
        forces[12 * pitch + k] = sxy
        forces[pitch + k] = forces[13 * pitch + k] + (sxz - f_x_yz)
        forces[13 * pitch + k] = sxz + f_x_yz
        forces[2 * pitch + k] = forces[14 * pitch + k] + (sxx - f_x_xy)
        forces[14 * pitch + k] = sxx + f_x_xy
        forces[3 * pitch + k] = forces[15 * pitch + k] + (f_x_xz - f_x_xyz)
        forces[15 * pitch + k] = f_x_xz + f_x_xyz
        forces[4 * pitch + k] = forces[16 * pitch + k] - syy
        forces[16 * pitch + k] = syy
        forces[5 * pitch + k] = forces[17 * pitch + k] + (syz - f_y_yz)
        forces[17 * pitch + k] = syz + f_y_yz
        forces[6 * pitch + k] = forces[18 * pitch + k] + (sxy - f_y_xy)
        forces[18 * pitch + k] = sxy + f_y_xy
        forces[7 * pitch + k] = forces[19 * pitch + k] + (f_y_xz - f_y_xyz)
        forces[19 * pitch + k] = f_y_xz + f_y_xyz
        forces[8 * pitch + k] = forces[20 * pitch + k] - syz
        forces[20 * pitch + k] = syz
        forces[9 * pitch + k] = forces[21 * pitch + k] + (szz - f_z_yz)
        forces[21 * pitch + k] = szz + f_z_yz
        forces[10 * pitch + k] = forces[22 * pitch + k] + (sxz - f_z_xy)
        forces[22 * pitch + k] = sxz + f_z_xy
        forces[11 * pitch + k] = forces[23 * pitch + k] + (f_z_xz - f_z_xyz)
        forces[23 * pitch + k] = f_z_xz + f_z_xyz
    total[0] += energy
    total[1] += t0
    total[2] += t1
    total[3] += t2
    total[4] += t3
    total[5] += t4
    total[6] += t5


@inlined
def scalar(  # type: ignore[no-untyped-def]
    before, after, constants, forces, load, width, total, pitch
):
    """A conductivity; ``load`` ends with the factors of it along the axes of the voxel."""
    third, ninth = forces.dtype.type(THIRD), forces.dtype.type(NINTH)
    lx, ly, lz = load[0], load[1], load[2]
    wx, wy, wz = load[3], load[4], load[5]
    wxy, wyz, wxz = third * (wx + wy), third * (wy + wz), third * (wx + wz)
    wxyz = ninth * (wx + wy + wz)
    energy, t0, t1, t2 = 0.0, 0.0, 0.0, 0.0
    width = min(width, pitch)
    for k in range(width):
        a, b = before[k], after[k]
        u_y = b - a
        a, b = before[pitch + k], after[pitch + k]
        u_z, u_yz = a + b, b - a
        a, b = before[2 * pitch + k], after[2 * pitch + k]
        u_x, u_xy = a + b, b - a
        a, b = before[3 * pitch + k], after[3 * pitch + k]
        u_xz, u_xyz = a + b, b - a
        c = constants[k]
        ex, ey, ez = u_x + lx, u_y + ly, u_z + lz
        sx, sy, sz = c * wx * ex, c * wy * ey, c * wz * ez
        f_u_xy, f_u_yz, f_u_xz = c * wxy * u_xy, c * wyz * u_yz, c * wxz * u_xz
        f_u_xyz = c * wxyz * u_xyz
        energy += (
            (sx * ex + sy * ey + sz * ez)
            + (f_u_xy * u_xy)
            + (f_u_yz * u_yz)
            + (f_u_xz * u_xz)
            + (f_u_xyz * u_xyz)
        )
        t0 += sx
        t1 += sy
        t2 += sz
        forces[k] = forces[4 * pitch + k] - sy
        forces[4 * pitch + k] = sy
        forces[pitch + k] = forces[5 * pitch + k] + (sz - f_u_yz)
        forces[5 * pitch + k] = sz + f_u_yz
        forces[2 * pitch + k] = forces[6 * pitch + k] + (sx - f_u_xy)
        forces[6 * pitch + k] = sx + f_u_xy
        forces[3 * pitch + k] = forces[7 * pitch + k] + (f_u_xz - f_u_xyz)
        forces[7 * pitch + k] = f_u_xz + f_u_xyz
    total[0] += energy
    total[1] += t0
    total[2] += t1
    total[3] += t2


@inlined
def plane(  # type: ignore[no-untyped-def]
    before, after, constants, forces, load, width, total, pitch
):
    """Two dimensions, rows along y: constants 11, 12, 16, 22, 26, 66, divided by 4."""
    third = forces.dtype.type(THIRD)
    lxx, lyy, lxy = load[0], load[1], load[2]
    energy, t0, t1, t2 = 0.0, 0.0, 0.0, 0.0
    width = min(width, pitch)
    for k in range(width):
        x_x = after[k] - before[k]
        a, b = before[pitch + k], after[pitch + k]
        x_y, x_xy = a + b, b - a
        y_x = after[2 * pitch + k] - before[2 * pitch + k]
        a, b = before[3 * pitch + k], after[3 * pitch + k]
        y_y, y_xy = a + b, b - a
        c11, c12, c16 = constants[k], constants[width + k], constants[2 * width + k]
        c22, c26 = constants[3 * width + k], constants[4 * width + k]
        c66 = constants[5 * width + k]
        exx, eyy, exy = x_x + lxx, y_y + lyy, x_y + y_x + lxy
        sxx = c11 * exx + c12 * eyy + c16 * exy
        syy = c12 * exx + c22 * eyy + c26 * exy
        sxy = c16 * exx + c26 * eyy + c66 * exy
        cross = (c26 + c16) * third
        f_x_xy = (c11 + c66) * third * x_xy + cross * y_xy
        f_y_xy = (c22 + c66) * third * y_xy + cross * x_xy
        energy += (sxx * exx + syy * eyy + sxy * exy) + (f_x_xy * x_xy + f_y_xy * y_xy)
        t0 += sxx
        t1 += syy
        t2 += sxy
        forces[k] = forces[4 * pitch + k] - sxx
        forces[4 * pitch + k] = sxx
        forces[pitch + k] = forces[5 * pitch + k] + (sxy - f_x_xy)
        forces[5 * pitch + k] = sxy + f_x_xy
        forces[2 * pitch + k] = forces[6 * pitch + k] - sxy
        forces[6 * pitch + k] = sxy
        forces[3 * pitch + k] = forces[7 * pitch + k] + (syy - f_y_xy)
        forces[7 * pitch + k] = syy + f_y_xy
    total[0] += energy
    total[1] += t0
    total[2] += t1
    total[3] += t2
